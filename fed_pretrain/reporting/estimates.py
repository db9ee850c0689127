"""A mean over seeds with its 95 % interval: what tables and charts are made of."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats

from fed_pretrain.reporting.results import Run


@dataclass(frozen=True)
class Estimate:
    """`low` and `high` are the ends of the 95 % interval (Student's t); NaN for a single seed."""

    mean: float
    low: float
    high: float
    count: int

    @property
    def known(self) -> bool:
        return math.isfinite(self.mean)

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def estimate(values: Iterable[float]) -> Estimate:
    """Of one value a seed; what is not finite does not count."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return NOTHING
    mean, half = float(np.mean(finite)), math.nan
    if len(finite) > 1:
        quantile = float(scipy.stats.t.ppf(0.975, len(finite) - 1))
        half = quantile * float(np.std(finite, ddof=1)) / math.sqrt(len(finite))
    return Estimate(mean, mean - half, mean + half, len(finite))


def by_seed(runs: Sequence[Run], value: Callable[[Run], float]) -> dict[int, float]:
    """The mean over the runs of each seed: the seed is the replicate, not the run."""
    found: dict[int, list[float]] = {}
    for run in runs:
        one = value(run)
        if math.isfinite(one):
            found.setdefault(int(run.coordinates.get("seed", 0)), []).append(one)
    return {seed: float(np.mean(several)) for seed, several in sorted(found.items())}


def over_seeds(runs: Sequence[Run], value: Callable[[Run], float]) -> Estimate:
    return estimate(by_seed(runs, value).values())


def paired(first: Mapping[int, float], second: Mapping[int, float]) -> Estimate:
    """First minus second over the seeds that both have."""
    return estimate(first[seed] - second[seed] for seed in first if seed in second)
