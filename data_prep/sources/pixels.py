"""Pixels between 0 and 1 back to the bytes they were made from, when nothing is lost by it."""

import numpy as np

_TOLERANCE = 1e-4  # of a grey level: float32 keeps k/255 to about 1e-5 of one


def as_bytes(values: np.ndarray) -> np.ndarray | None:
    """The uint8 image whose 255th parts the values are, or None where they are something else."""
    levels = np.asarray(values, dtype=np.float64) * 255.0
    nearest = np.rint(levels)
    exact = np.abs(levels - nearest) <= _TOLERANCE
    if not exact.all() or nearest.min(initial=0) < 0 or nearest.max(initial=0) > 255:
        return None
    return nearest.astype(np.uint8)
