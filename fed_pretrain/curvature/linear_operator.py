"""A symmetric matrix known only by its products: what the eigenvalue algorithms work on."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from groundwork import randomness


class Operator(Protocol):
    """`matvec` takes and returns a flat float64 vector of length `size`."""

    @property
    def size(self) -> int: ...

    def matvec(self, vector: np.ndarray) -> np.ndarray: ...


class NotFinite(ArithmeticError):
    """A product holds NaN or Inf: the matrix has no eigenvalues to look for."""


class Counted:
    """An operator that counts its products."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self.matvecs = 0

    @property
    def size(self) -> int:
        return self._operator.size

    def matvec(self, vector: np.ndarray) -> np.ndarray:
        self.matvecs += 1
        return np.asarray(self._operator.matvec(vector), dtype=np.float64)


def unit_vector(size: int, seed: int, purpose: str, number: int = 0) -> np.ndarray:
    """A Gaussian direction of length one, a pure function of its arguments."""
    vector = randomness.generator(seed, purpose, number).standard_normal(size)
    return vector / np.linalg.norm(vector)
