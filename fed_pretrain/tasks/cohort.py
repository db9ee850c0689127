"""Which clients take part in a round: a pure function of (seed, round)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from data_prep import randomness
from data_prep.errors import UserError

How = Literal["uniform", "weighted", "fixed", "all"]
WAYS: tuple[How, ...] = ("uniform", "weighted", "fixed", "all")


def cohort(
    client_ids: Sequence[str],
    num: int,
    seed: int,
    round_number: int,
    how: str = "uniform",
    weights: Sequence[float] | np.ndarray | None = None,
) -> list[str]:
    """The clients of a round, without replacement.

    uniform: every client alike. weighted: drawn one after another in proportion to `weights`.
    fixed: one uniform cohort for the whole run. all: everyone, in the given order.
    """
    if how not in WAYS:
        raise UserError(f"--sampling is {how!r}, must be one of {', '.join(WAYS)}")
    if how == "all":
        return list(client_ids)
    if num < 1:
        raise UserError(f"--clients_per_round is {num}, must be at least 1")
    if num > len(client_ids):
        raise UserError(
            f"--clients_per_round is {num}, but the dataset has only {len(client_ids)} clients"
        )
    waits = _waits(len(client_ids), seed, 0 if how == "fixed" else round_number)
    if how == "weighted":
        checked = _checked_weights(weights, len(client_ids), num)
        never = np.full(len(client_ids), np.inf)
        waits = np.divide(waits, checked, out=never, where=checked > 0)
    first = np.argsort(waits, kind="stable")[:num]
    return [client_ids[i] for i in first]


def _waits(clients: int, seed: int, round_number: int) -> np.ndarray:
    """Exponential waiting times: who arrives first is in.

    Divided by weights, the order of arrival is successive sampling in proportion to them
    (Efraimidis and Spirakis 2006); undivided it is uniform.
    """
    uniform = randomness.generator(seed, "cohort", round_number).random(clients)
    return -np.log1p(-uniform)


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
