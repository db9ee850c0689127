"""Which clients take part in a round: a pure function of (seed, round)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from groundwork import randomness
from groundwork.errors import UserError, check_choice

WAYS = ("uniform", "poisson", "weighted", "fixed", "in_turn", "all")


def cohort(
    client_ids: Sequence[str],
    num: int,
    seed: int,
    round_number: int,
    how: str = "uniform",
    weights: Sequence[float] | np.ndarray | None = None,
) -> list[str]:
    """The clients of a round, none of them twice.

    uniform: `num` of them, every client alike. poisson: each by its own draw, `num` on
    average and maybe none. weighted: one after another in proportion to `weights`. fixed: one
    uniform cohort for the whole run. in_turn: everyone once before anyone again, in an order drawn
    for the run. all: everyone, in the given order.
    """
    check_choice("--sampling", how, WAYS)
    if how == "all":
        return list(client_ids)
    if num < 1:
        raise UserError(f"--clients_per_round is {num}, must be at least 1")
    if num > len(client_ids):
        raise UserError(
            f"--clients_per_round is {num}, but the dataset has only {len(client_ids)} clients"
        )
    once = how in ("fixed", "in_turn")
    generator = randomness.generator(seed, "cohort", 0 if once else round_number)
    arrivals = generator.random(len(client_ids))
    if how == "weighted":
        arrivals = _hastened(arrivals, _checked_weights(weights, len(client_ids), num))
    if how == "in_turn":
        order, first = np.argsort(arrivals, kind="stable"), (round_number - 1) * num
        return [client_ids[p] for p in order.take(range(first, first + num), mode="wrap")]
    if how == "poisson":
        num = int(np.count_nonzero(arrivals < num / len(client_ids)))
    return [client_ids[position] for position in _earliest(arrivals, num)]


def planned_clients(how: str, num: int, population: int) -> int:
    """The clients of a round, on average where their number is drawn."""
    return population if how == "all" else num


def most_clients(how: str, num: int, population: int) -> int:
    """The most clients that a round may have."""
    return population if how in ("all", "poisson") else num


def rounds_apart(how: str, num: int, population: int) -> int:
    """The fewest rounds from one turn of a client to its next."""
    return population // num if how == "in_turn" else 1


def _hastened(uniform: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Exponential waiting times, shorter for larger weights, endless for a weight of zero.

    The order of arrival is successive sampling in proportion to the weights (Efraimidis and
    Spirakis 2006).
    """
    never = np.full(len(uniform), np.inf)
    return np.divide(-np.log1p(-uniform), weights, out=never, where=weights > 0)


def _earliest(arrivals: np.ndarray, num: int) -> np.ndarray:
    """The positions of the first `num`, in order, without sorting everyone."""
    if num == 0:
        return np.zeros(0, np.intp)
    first = np.argpartition(arrivals, num - 1)[:num]
    return first[np.lexsort((first, arrivals[first]))]


def _checked_weights(
    weights: Sequence[float] | np.ndarray | None, clients: int, num: int
) -> np.ndarray:
    if weights is None:
        raise UserError("--sampling=weighted needs the clients' weights")
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (clients,):
        raise UserError(f"{len(values)} weights were given for {clients} clients")
    if not np.all(np.isfinite(values)) or np.any(values < 0):
        raise UserError("the clients' weights must be finite and not negative")
    if np.count_nonzero(values) < num:
        raise UserError(
            f"--clients_per_round is {num}, but only {np.count_nonzero(values)} clients "
            "have a positive weight"
        )
    return values
