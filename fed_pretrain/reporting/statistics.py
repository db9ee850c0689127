"""The few statistics of the report; formulas in the papers' words, undefined values are NaN."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over seeds; the deviation of one seed is NaN."""

    mean: float
    std: float
    count: int

    @property
    def half_width(self) -> float:
        """Half the 95 % confidence interval of the mean (Student's t)."""
        if self.count < 2:
            return math.nan
        quantile = float(scipy.stats.t.ppf(0.975, self.count - 1))
        return quantile * self.std / math.sqrt(self.count)

    def __str__(self) -> str:
        if math.isnan(self.mean):
            return "–"
        if math.isnan(self.std):
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} ± {self.std:.3f}"


def spread(values: Sequence[float]) -> Spread:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return Spread(math.nan, math.nan, 0)
    std = float(np.std(finite, ddof=1)) if len(finite) > 1 else math.nan
    return Spread(float(np.mean(finite)), std, len(finite))


def kendall_tau_b(first: Sequence[float], second: Sequence[float]) -> float:
    """NaN when all values of one side tie."""
    return float(scipy.stats.kendalltau(first, second).correlation)


def ranks(values: Sequence[float]) -> list[int]:
    """1 for the highest value; ties in the given order."""
    return [int(rank) for rank in scipy.stats.rankdata(-np.asarray(values), method="ordinal")]
