"""Student's t of paired differences: which side of zero their mean is on, or that it is near it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats

# An array, or a single number where there is one row.
Values = Any


@dataclass(frozen=True)
class Sides:
    """One-sided p-values: small where the effect is above zero, below it, or within the margin."""

    up: Values
    down: Values
    same: Values = 1.0

    @property
    def p(self) -> Values:
        """Two-sided: one interval answers all three questions."""
        return np.minimum(1.0, 2 * np.minimum(np.minimum(self.up, self.down), self.same))

    def at_least(self, guard: float) -> "Sides":
        """What is left when a condition has to be proven, too: the larger p of the two."""
        return Sides(*(np.maximum(side, guard) for side in (self.up, self.down, self.same)))


UNTESTED = Sides(1.0, 1.0, 1.0)


def scale(z: np.ndarray, floor: float) -> Values:
    """The standard error of the mean over the last axis; `floor` bounds the deviation below."""
    n = z.shape[-1]
    return np.maximum(z.std(axis=-1, ddof=1), floor) / math.sqrt(n)


def one_sided(z: np.ndarray, floor: float = 0.0) -> tuple[Values, Values]:
    """(up, down): p that the mean over the last axis is above, or below, zero."""
    n = z.shape[-1]
    if n < 2:
        whole = np.ones(z.shape[:-1])
        return whole, whole
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.nan_to_num(z.mean(axis=-1) / scale(z, floor), nan=0.0, posinf=np.inf, neginf=-np.inf)
    return scipy.stats.t.sf(t, n - 1), scipy.stats.t.cdf(t, n - 1)


def sides(z: np.ndarray, margin: float | None = None, floor: float = 0.0) -> Sides:
    up, down = one_sided(z, floor)
    if margin is None:
        return Sides(up, down, np.ones_like(up))
    same = np.maximum(one_sided(z + margin, floor)[0], one_sided(z - margin, floor)[1])
    return Sides(up, down, same)


def bounds(z: np.ndarray, level: float, floor: float = 0.0) -> tuple[Values, Values]:
    """The interval of the mean that fails with probability `level`, half of it on each side."""
    n = z.shape[-1]
    half = scipy.stats.t.ppf(1 - level / 2, n - 1) * scale(z, floor)
    return z.mean(axis=-1) - half, z.mean(axis=-1) + half
