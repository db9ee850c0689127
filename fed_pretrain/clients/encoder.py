"""How a client's stored examples become the rows a model trains on."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from groundwork.untyped import Feature, Json

Features = Mapping[str, Feature]
PADDING_LABEL = -1
"""The label of a position that does not count; where labels are measurements, NaN."""


def padding_of(dtype: str) -> float | int:
    """What a position that does not count holds in labels of this type."""
    return math.nan if dtype.startswith("float") else PADDING_LABEL


class Encoder(abc.ABC):
    """Turns features into (x, y) rows on the host; picklable, cheap to pickle, stateless.

    A label of -1 marks a position that does not count; labels in `unscored` count in the loss
    but not in the accuracy.
    """

    x_shape: tuple[int | None, ...]
    x_dtype: str
    y_shape: tuple[int | None, ...]
    y_dtype: str = "int32"
    num_classes: int
    label_names: tuple[str, ...] | None = None
    unscored: tuple[int, ...] = ()
    scale: float | list[float] = 1.0
    """With `offset`: what a model of plain numbers does to a row first."""
    offset: float | list[float] = 0.0
    centre: tuple[float, ...] = ()
    """The mean of each number to be predicted."""
    spread: tuple[float, ...] = ()
    """The unit of its errors; empty: its own."""

    @abc.abstractmethod
    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        """The rows of one client: x of `x_dtype`, y of `y_dtype`, equally many of both."""

    def model_arguments(self) -> dict[str, Json]:
        """What a model's builder must know of the rows, beyond the number of classes."""
        return {}


class Vocabulary(Protocol):
    """Ids from 0 to below `size`; the accuracy leaves out those in `unscored`."""

    @property
    def size(self) -> int: ...

    @property
    def unscored(self) -> tuple[int, ...]: ...


class TokenRows(Encoder):
    """x: `length` tokens of a vocabulary; y: for each of them the one that follows."""

    vocabulary: Vocabulary
    length: int
    x_dtype = "int32"

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        return self.vocabulary.size

    @property
    def unscored(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.vocabulary.unscored

    @property
    def x_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.length,)

    @property
    def y_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.length,)

    def model_arguments(self) -> dict[str, Json]:
        return {"vocab_size": self.num_classes, "sequence_length": self.length}


def as_array(feature: Feature) -> np.ndarray:
    """The NumPy view of a feature, whether the store or a test hands it over."""
    return feature.numpy() if hasattr(feature, "numpy") else np.asarray(feature)


def as_texts(feature: Feature) -> list[str]:
    """The texts of a bytes feature."""
    return [
        text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in as_array(feature)
    ]
