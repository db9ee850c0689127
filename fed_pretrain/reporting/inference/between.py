"""How far apart the true means of algorithms are, corrected for the noise of the seeds.

The variance of the means is estimated from products of different seeds only, so noise adds nothing
to it on average. Two starts are compared by the jackknife over seeds on two scales, the variance
and its signed root; a verdict needs both. Arrays are seed × algorithm.
"""

import numpy as np
import scipy.stats

from fed_pretrain.reporting.inference.student import Sides, Values


def variance(y: np.ndarray) -> tuple[Values, np.ndarray]:
    """The variance of the true means, and the same without each seed (on the last axis)."""
    x = y - y.mean(axis=-1, keepdims=True)
    n, k = x.shape[-2:]
    gram = x @ np.swapaxes(x, -1, -2)
    own = np.einsum("...ii->...i", gram)
    total, row = gram.sum(axis=(-1, -2)), gram.sum(axis=-1)
    value = (total - own.sum(axis=-1)) / (n * (n - 1) * (k - 1))
    left = total[..., None] - 2 * row + own - (own.sum(axis=-1)[..., None] - own)
    return value, left / ((n - 1) * max(n - 2, 1) * (k - 1))


def root(value: Values) -> Values:
    """A variance as a deviation; below zero it keeps its sign, since noise may take it there."""
    return np.sign(value) * np.sqrt(np.abs(value))


def _as_it_is(value: Values) -> Values:
    return value


_SCALES = (_as_it_is, root)


def _compared(first: np.ndarray, other: np.ndarray, of: object) -> tuple[Values, Values]:
    """The difference on one scale, and its jackknife deviation."""
    assert callable(of)
    (v_first, left_first), (v_other, left_other) = variance(first), variance(other)
    n = first.shape[-2]
    left = of(left_first) - of(left_other)
    squares = ((left - left.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return of(v_first) - of(v_other), np.sqrt((n - 1) / n * squares)


def sides(first: np.ndarray, other: np.ndarray, margin: float, floor: float = 0.0) -> Sides:
    """Whether the first is wider. Three seeds are the fewest that can be left one out of."""
    n = first.shape[-2]
    if n < 3:
        whole = np.ones(first.shape[:-2])
        return Sides(whole, whole, whole)
    ups, downs = [], []
    for of, least in zip(_SCALES, (floor**2, floor), strict=True):
        difference, deviation = _compared(first, other, of)
        t = difference / np.maximum(deviation, np.maximum(least, 1e-300))
        ups.append(scipy.stats.t.sf(t, n - 1))
        downs.append(scipy.stats.t.cdf(t, n - 1))
    difference, deviation = _compared(first, other, root)
    deviation = np.maximum(deviation, max(floor, 1e-300))
    above = scipy.stats.t.sf((difference + margin) / deviation, n - 1)
    below = scipy.stats.t.cdf((difference - margin) / deviation, n - 1)
    return Sides(np.max(ups, axis=0), np.max(downs, axis=0), np.maximum(above, below))


def estimate(first: np.ndarray, other: np.ndarray) -> Values:
    return root(variance(first)[0]) - root(variance(other)[0])


def bounds(first: np.ndarray, other: np.ndarray, level: float) -> tuple[float, float]:
    """The interval of the difference; it holds zero where the variance scale cannot exclude it."""
    ends = []
    quantile = scipy.stats.t.ppf(1 - level / 2, first.shape[-2] - 1)
    for of in _SCALES:
        difference, deviation = _compared(first, other, of)
        ends.append((difference - quantile * deviation, difference + quantile * deviation))
    (low_of_variance, high_of_variance), (low, high) = ends
    if low_of_variance <= 0:
        low = min(low, 0.0)
    if high_of_variance >= 0:
        high = max(high, 0.0)
    return float(low), float(high)
