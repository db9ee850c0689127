"""What privacy a run has spent, by the accountant that fits how its clients are chosen.

Each states the neighbours it protects and what it takes for granted; there is none for a way of
choosing clients that has no bound. SciPy and dp_accounting are imported where they count.
"""

from __future__ import annotations

import abc
import functools
import math
from typing import ClassVar

import numpy as np

from fed_pretrain.algorithms import correlation
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from groundwork.untyped import Json

REPLACED, ADDED = "one client replaced by another", "one client added or removed"
_ORDERS = [1 + x / 10 for x in range(1, 100)] + [*range(11, 64), 128, 256, 512, 1024]
_ALWAYS = (
    "whoever attacks sees every model, and neither --seed (which config.json holds) nor logs",
    "the number of training clients and the task's words and labels are public",
    "numbers are real, not floating-point",
    "evaluations are exact, and of data that is not protected",
)


class Accountant(abc.ABC):
    """Of one config; `epsilon(rounds)` is at the config's delta."""

    name: ClassVar[str]
    neighbours: ClassVar[str] = REPLACED
    assumes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: ResolvedAlgorithm) -> None:
        self.config = config
        self.noise = config.dp_noise_multiplier or 0.0

    def epsilon(self, rounds: int) -> float:
        if rounds == 0 and not self.config.releases:
            return 0.0
        return self._epsilon(rounds) if self.noise else math.inf

    def statement(self) -> dict[str, Json]:
        """What config.json says of a run's privacy."""
        return {
            "accountant": self.name,
            "neighbours": self.neighbours,
            "delta": self.config.dp_delta,
            "assumes": [*self.assumes, *_ALWAYS],
        }

    @abc.abstractmethod
    def _epsilon(self, rounds: int) -> float:
        """Of the releases before the rounds, and of rounds with noise."""


class Poisson(Accountant):
    name = "privacy loss distribution of Gaussian noise on a Poisson sample"
    neighbours = ADDED
    assumes = ("each client takes part by its own draw, which stays secret",)

    def _epsilon(self, rounds: int) -> float:
        import dp_accounting

        rate = self.config.clients_per_round / self.config.population
        # Rounded against us: a coarse grid overstates epsilon, by less than 1 % in the tests.
        accountant = dp_accounting.pld.PLDAccountant(
            value_discretization_interval=1e-3 * max(1.0, self.noise**-2)
        )
        gaussian = dp_accounting.GaussianDpEvent(self.noise)
        if rounds:
            accountant.compose(dp_accounting.PoissonSampledDpEvent(rate, gaussian), rounds)
        if self.config.releases:
            accountant.compose(gaussian, self.config.releases)
        return float(accountant.get_epsilon(self.config.dp_delta))


class NotSampled(Accountant):
    """No amplification: a replaced client moves the sum by up to twice the clip norm at each turn.

    Weighted draws depend on the clients' sizes; given the draws of all others, replacing a client
    still exchanges one client of a cohort at most.
    """

    name = "exact composition of Gaussian noise, without amplification"

    def _epsilon(self, rounds: int) -> float:
        moved = 2.0 * math.sqrt(self._squares(rounds) + self.config.releases)
        return gaussian_epsilon(moved / self.noise, self.config.dp_delta)

    def _squares(self, rounds: int) -> float:
        """The summed squares of what a client of norm 1 can move."""
        if not rounds:
            return 0.0
        return correlation.squared_sensitivity(1, rounds, self.config.rounds_apart)


class Correlated(NotSampled):
    name = "exact composition of correlated Gaussian noise (DP-FTRL), without amplification"

    def _squares(self, rounds: int) -> float:
        whole, rest = divmod(rounds, self.config.restart_rounds)
        return whole * self._of_one(self.config.restart_rounds) + self._of_one(rest)

    def _of_one(self, rounds: int) -> float:
        config = self.config
        return correlation.squared_sensitivity(config.dp_noise_bands, rounds, config.rounds_apart)


class WithoutReplacement(NotSampled):
    """Theorem 27 of Wang, Balle and Kasiviswanathan 2019; dense cohorts are better off without."""

    name = (
        "Renyi accountant of Gaussian noise on a cohort drawn without replacement, or exact "
        "composition where that gives less"
    )
    assumes = ("who takes part is drawn anew each round, and stays secret",)

    def _epsilon(self, rounds: int) -> float:
        from dp_accounting import rdp

        # A release moves by twice the norm: Gaussian noise of half the multiplier.
        before = 2.0 * np.asarray(_ORDERS) * self.config.releases / self.noise**2
        spent = rounds * self._renyi_of_a_round + before
        amplified, _ = rdp.compute_epsilon(_ORDERS, spent, self.config.dp_delta)
        return min(float(amplified), super()._epsilon(rounds))

    @functools.cached_property
    def _renyi_of_a_round(self) -> np.ndarray:
        import dp_accounting

        config = self.config
        accountant = dp_accounting.rdp.RdpAccountant(
            _ORDERS, dp_accounting.NeighboringRelation.REPLACE_ONE
        )
        gaussian = dp_accounting.GaussianDpEvent(self.noise / 2.0)
        accountant.compose(
            dp_accounting.SampledWithoutReplacementDpEvent(
                config.population, config.clients_per_round, gaussian
            )
        )
        return accountant.rdp


_INDEPENDENT: dict[str, type[Accountant]] = {
    "uniform": WithoutReplacement,
    "poisson": Poisson,
    "weighted": NotSampled,
    "fixed": NotSampled,
    "in_turn": NotSampled,
    "all": NotSampled,
}
_CORRELATED: dict[str, type[Accountant]] = {
    "fixed": Correlated,
    "in_turn": Correlated,
    "all": Correlated,
}


def refusals(config: ResolvedAlgorithm) -> list[str]:
    """Why there is no accountant for a private config."""
    known = _known(config)
    if config.sampling in known:
        return []
    return [
        f"no bound is known for --dp_noise={config.dp_noise} with --sampling={config.sampling}: "
        f"use {' or '.join(known)}"
    ]


def accountant(config: ResolvedAlgorithm) -> Accountant:
    """The one of a private config that is not refused."""
    return _known(config)[config.sampling](config)


def _known(config: ResolvedAlgorithm) -> dict[str, type[Accountant]]:
    return _CORRELATED if config.dp_noise == "correlated" else _INDEPENDENT


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Of Gaussian noise of deviation 1 on what moves by mu (Balle and Wang 2018, theorem 8)."""
    from scipy.optimize import brentq
    from scipy.special import log_ndtr

    def excess(epsilon: float) -> float:
        above = log_ndtr(mu / 2.0 - epsilon / mu)
        below = epsilon + log_ndtr(-mu / 2.0 - epsilon / mu)
        return float(np.exp(above) - np.exp(below) - delta)

    if excess(0.0) <= 0.0:
        return 0.0
    # What concentrated privacy gives is never too small.
    return float(brentq(excess, 0.0, mu**2 / 2.0 + mu * math.sqrt(2.0 * math.log(1.0 / delta))))
