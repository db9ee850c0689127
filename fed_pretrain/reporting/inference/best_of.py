"""The best of some algorithms against the best of others, without choosing on the data that judge.

The effect is the largest true mean of the first group minus that of the other. That some candidate
beats every rival is a union over candidates (Bonferroni) of intersections over rivals (which need
no correction), so it is valid however the algorithms correlate. Arrays are seed × algorithm.
"""

import numpy as np

from fed_pretrain.reporting.inference import student
from fed_pretrain.reporting.inference.student import Sides, Values


def sides(
    first: np.ndarray, other: np.ndarray, margin: float | None = None, floor: float = 0.0
) -> Sides:
    up, down = _beats(first, other, floor), _beats(other, first, floor)
    if margin is None:
        return Sides(up, down, np.ones_like(up))
    above, below = _beats(first + margin, other, floor), _beats(other, first - margin, floor)
    return Sides(up, down, np.maximum(above, below))


def _beats(candidates: np.ndarray, rivals: np.ndarray, floor: float) -> Values:
    p = student.one_sided(_differences(candidates, rivals), floor)[0]
    return np.minimum(1.0, candidates.shape[-1] * p.max(axis=-1).min(axis=-1))


def _differences(candidates: np.ndarray, rivals: np.ndarray) -> np.ndarray:
    """Candidate × rival × seed."""
    return np.moveaxis(candidates[..., :, :, None] - rivals[..., :, None, :], -3, -1)


def estimate(first: np.ndarray, other: np.ndarray) -> Values:
    return first.mean(axis=-2).max(axis=-1) - other.mean(axis=-2).max(axis=-1)


def bounds(
    first: np.ndarray, other: np.ndarray, level: float, floor: float = 0.0
) -> tuple[Values, Values]:
    return _lowest(first, other, level, floor), -_lowest(other, first, level, floor)


def _lowest(candidates: np.ndarray, rivals: np.ndarray, level: float, floor: float) -> Values:
    """The bound below of the best candidate's lead over the best rival."""
    each = student.bounds(_differences(candidates, rivals), level / candidates.shape[-1], floor)[0]
    return each.min(axis=-1).max(axis=-1)
