"""Labelled images and vectors as rows as they are stored: the model does the rest."""

import dataclasses

import numpy as np

from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import Encoder, Features, as_array
from fed_pretrain.tasks.definition import ExpectedFeature, TaskOptions, where
from groundwork.errors import UserError

MOST_CLASSES = 10_000
"""Of labels that have no names."""


@dataclasses.dataclass(frozen=True)
class ImageEncoder(Encoder):
    """x: the stored uint8 pixels, or the floats of another field; y: the label."""

    x_shape: tuple[int, ...]
    label_names: tuple[str, ...]
    field: str = "image"
    x_dtype: str = "uint8"

    y_shape = ()

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        return len(self.label_names)

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        rows = as_array(features[self.field]).reshape(-1, *self.x_shape)
        return rows, as_array(features["label"]).astype(np.int32)


def expected_images(
    height: int | None, width: int | None, channels: int | None
) -> tuple[ExpectedFeature, ...]:
    return (
        ExpectedFeature("image", "image", (height, width, channels)),
        ExpectedFeature("label", "int64", ()),
    )


@dataclasses.dataclass(frozen=True)
class LabelledImages:
    """Makes the encoder of a dataset of images.

    The labels' names are the manifest's; `names` fixes how many there must be.
    """

    names: tuple[str, ...] | None = None
    field, dtype = "image", "uint8"

    def __call__(self, dataset: PreparedDataset, options: TaskOptions) -> ImageEncoder:
        stored = {feature.name: tuple(feature.shape) for feature in dataset.manifest.features}
        return ImageEncoder(stored[self.field], self._names(dataset), self.field, self.dtype)

    def _names(self, dataset: PreparedDataset) -> tuple[str, ...]:
        stored = dataset.manifest.label_names
        if self.names is not None:
            return stored if stored is not None and len(stored) == len(self.names) else self.names
        return class_names(dataset)


def expected_vectors(*shape: int | None) -> tuple[ExpectedFeature, ...]:
    return (ExpectedFeature("x", "float32", shape), ExpectedFeature("label", "int64"))


class LabelledVectors(LabelledImages):
    """The same of arrays of floats: features computed elsewhere, or a theory's data."""

    field, dtype = "x", "float32"


def class_names(dataset: PreparedDataset) -> tuple[str, ...]:
    """The manifest's; labels without names count from 0 to the largest of any split."""
    stored = dataset.manifest.label_names
    return stored if stored is not None else numbered(_highest_label(dataset) + 1)


def numbered(classes: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(classes))


def _highest_label(dataset: PreparedDataset) -> int:
    largest = 0
    for split in dataset.splits:
        index = dataset.index(split)
        if index.label_counts is not None:
            largest = max(largest, index.label_counts.shape[1] - 1)
            continue
        for client in index.client_ids:
            labels = as_array(dataset.read_client(split, client)["label"])
            largest = max(largest, int(labels.max(initial=0)))
    if largest >= MOST_CLASSES:
        raise UserError(
            f"dataset {where(dataset)} has the label {largest:,}, and classes are numbered from 0 "
            f"to {MOST_CLASSES - 1:,} at most: --task=regression predicts numbers"
        )
    return largest
