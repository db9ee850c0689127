"""Noise that cancels in later rounds: the banded inverse square root of the sum over rounds.

DP-FTRL (Kairouz, McMahan et al. 2021) in the matrix form of Denisov et al. 2022: with the draws z
of the rounds, round t adds sum_k d_k z_(t-k), the rows of the inverse of C. A client that comes
once changes C x by a column of C, so the release is that of one Gaussian mechanism whose
sensitivity is the column's norm. Here d are the first coefficients of (1 - x)^(1/2), the inverse
of the root of the prefix sums (Fichtenberger, Henzinger and Upadhyay 2022), banded as by Kalinin,
McKenna, Upadhyay and Lampert 2025. One band is independent noise.
"""

from __future__ import annotations

import numpy as np


def shares(bands: int) -> np.ndarray:
    """d: the share of a draw in the noise of its round and of the rounds after it."""
    steps = np.arange(1, bands)
    return np.cumprod(np.concatenate([[1.0], (steps - 1.5) / steps]))


def column(bands: int, rounds: int) -> np.ndarray:
    """The first column of C, of which each other one is the same, shifted down."""
    weights = -shares(min(bands, rounds))[1:]
    found = np.ones(rounds)
    for row in range(1, rounds):
        used = weights[:row]
        found[row] = used @ found[row - len(used) : row][::-1]
    return found


def squared_sensitivity(bands: int, rounds: int, apart: int) -> float:
    """Of C x over `rounds`, for a client of norm 1 whose turns are at least `apart` rounds apart.

    The entries of C are positive and fall, so the worst turns are the earliest and most frequent,
    all in one direction (Kalinin and Lampert 2024, theorem 2).
    """
    one = column(bands, rounds)
    total = np.zeros(rounds)
    for first in range(0, rounds, apart):
        total[first:] += one[: rounds - first]
    return float(total @ total)
