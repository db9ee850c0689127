"""Labelled arrays of floats as rows: features computed elsewhere, or a theory's data."""

import dataclasses

import numpy as np

from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import Encoder, Features, as_array
from fed_pretrain.tasks.definition import ExpectedFeature, TaskOptions


@dataclasses.dataclass(frozen=True)
class VectorEncoder(Encoder):
    """x: the stored float32 array; y: the label."""

    shape: tuple[int, ...]
    names: tuple[str, ...]

    x_dtype = "float32"
    y_shape = ()

    @property
    def x_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.shape

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        return len(self.names)

    @property
    def label_names(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.names

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        return as_array(features["x"]), as_array(features["label"]).astype(np.int32)


def expected_vectors(*shape: int | None) -> tuple[ExpectedFeature, ...]:
    return (ExpectedFeature("x", "float32", shape), ExpectedFeature("label", "int64"))


@dataclasses.dataclass(frozen=True)
class LabelledVectors:
    """Makes the encoder of a dataset of vectors with these classes."""

    names: tuple[str, ...]

    def __call__(self, dataset: PreparedDataset, options: TaskOptions) -> VectorEncoder:
        shape = next(feature.shape for feature in dataset.manifest.features if feature.name == "x")
        return VectorEncoder(tuple(shape), self.names)
