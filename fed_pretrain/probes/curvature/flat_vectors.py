"""Some of a model's tensors as one vector, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class FlatVectors:
    """float64 as a vector, where small residuals are measured; float32 as tensors."""

    def __init__(self, tensors: Sequence[np.ndarray]) -> None:
        self._shapes = [tensor.shape for tensor in tensors]
        self._ends = np.cumsum([tensor.size for tensor in tensors])

    @property
    def size(self) -> int:
        return int(self._ends[-1])

    def split(self, vector: np.ndarray) -> list[np.ndarray]:
        parts = np.split(vector.astype(np.float32), self._ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def join(self, tensors: Sequence[Any]) -> np.ndarray:
        return np.concatenate([np.asarray(t, np.float64).reshape(-1) for t in tensors])
