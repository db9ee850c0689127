"""A model's weights as arrays: mixed, moved and flattened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from groundwork.untyped import Leaf


class Weights(Protocol):
    """A model's weights in the order of its variables."""

    @property
    def trainable(self) -> list[np.ndarray]: ...

    @property
    def non_trainable(self) -> list[np.ndarray]: ...


@dataclass(frozen=True)
class ModelArrays:
    """Weights as arrays."""

    trainable: list[np.ndarray]
    non_trainable: list[np.ndarray]


def mixture(models: Sequence[Weights], shares: Sequence[float]) -> ModelArrays:
    """The sum of share times model; a share of 1 beside zeros is that model, bit for bit.

    Shares may be negative, beyond the models. A variance may not, so what does not train (averaged
    BatchNorm statistics) is mixed by the positive shares alone.
    """
    inside = np.clip(np.asarray(shares, np.float64), 0.0, None)
    return ModelArrays(
        _sums([model.trainable for model in models], shares),
        _sums([model.non_trainable for model in models], inside / inside.sum()),
    )


def moved(weights: Weights, vector: Sequence[np.ndarray], step: float) -> ModelArrays:
    """The trainable weights plus step times vector."""
    pairs = zip(weights.trainable, vector, strict=True)
    return ModelArrays(
        [(np.asarray(w, np.float64) + step * v).astype(w.dtype) for w, v in pairs],
        weights.non_trainable,
    )


def _sums(
    models: Sequence[Sequence[np.ndarray]], shares: Sequence[float] | np.ndarray
) -> list[np.ndarray]:
    found = []
    for tensors in zip(*models, strict=True):
        total = sum(
            share * np.asarray(tensor, np.float64)
            for share, tensor in zip(shares, tensors, strict=True)
        )
        found.append(np.asarray(total).astype(tensors[0].dtype))
    return found


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

    def join(self, tensors: Sequence[Leaf]) -> np.ndarray:
        return np.concatenate([np.asarray(t, np.float64).reshape(-1) for t in tensors])
