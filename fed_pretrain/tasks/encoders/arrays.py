"""Your own arrays as rows: inputs of any shape, and labels of four kinds."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from data_prep.store.features import FeatureSpec
from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import Encoder, Features, as_array
from fed_pretrain.tasks.definition import TaskOptions
from groundwork.errors import UserError

INPUTS, LABELS = ("x", "image"), ("y", "label")
"""The fields that may hold them."""
_ROWS = {"uint8": "uint8", "int64": "int32", "float32": "float32"}
_WANTED = {
    "classification": "one whole number an example",
    "regression": "numbers",
    "multilabel": "0 and 1, several an example",
    "next_token": "whole numbers, a row as long as x",
}
LabelKind = Literal["classification", "regression", "multilabel", "next_token"]


@dataclasses.dataclass(frozen=True)
class ArrayEncoder(Encoder):
    """x as it is stored, whole numbers as int32; y: the label, measurements as float32.

    centre: the mean of the measurements, an output each.
    """

    x_field: str
    y_field: str
    x_shape: tuple[int, ...]
    x_dtype: str
    y_shape: tuple[int, ...]
    num_classes: int
    y_dtype: str
    label_names: tuple[str, ...] | None = None
    centre: tuple[float, ...] = ()

    @property
    def scale(self) -> float:  # type: ignore[override]
        """With `offset`: what the model does to a row first."""
        return 1 / 255 if self.x_dtype == "uint8" else 1.0

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        x = as_array(features[self.x_field]).reshape(-1, *self.x_shape)
        y = as_array(features[self.y_field]).reshape(-1, *self.y_shape)
        return x.astype(self.x_dtype), y.astype(self.y_dtype)


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Makes the encoder of a dataset of arrays (data_prep/sources/own/arrays.py)."""

    kind: LabelKind

    def __call__(self, dataset: PreparedDataset, options: TaskOptions) -> ArrayEncoder:
        features, extra = dataset.manifest.features, dataset.manifest.extra
        x, y = _field(features, INPUTS, self.kind), _field(features, LABELS, self.kind)
        shape = tuple(int(size) for size in extra.get("x_shape", x.shape))
        self._check(x, y, shape)
        names = dataset.manifest.label_names
        labels = (1,) if self.kind == "regression" and not y.shape else y.shape
        return ArrayEncoder(
            x.name, y.name, shape, _ROWS[x.dtype],
            labels, self._outputs(y, names, extra.get("classes")),
            "float32" if self.kind == "regression" else "int32",
            names if self.kind == "classification" else None,
            self._centre(labels, extra.get("y_mean")),
        )  # fmt: skip

    def _check(self, x: FeatureSpec, y: FeatureSpec, shape: Sequence[int]) -> None:
        fits = {
            "classification": y.kind == "int64" and y.shape == (),
            "regression": y.kind in ("float32", "int64"),
            "multilabel": y.kind == "int64" and len(y.shape) == 1,
            "next_token": x.kind == y.kind == "int64" and tuple(y.shape) == tuple(shape),
        }
        if not fits[self.kind]:
            raise UserError(
                f"--task={self.kind} wants labels that are {_WANTED[self.kind]}; the dataset's"
                f" {y.name!r} is {y.kind} of shape {list(y.shape)} an example"
            )

    def _outputs(self, y: FeatureSpec, names: Sequence[str] | None, classes: int | None) -> int:
        if self.kind in ("regression", "multilabel"):
            return y.size
        found = len(names) if names is not None else classes
        if found is None:
            raise UserError(
                f"--task={self.kind}: the dataset does not say how many classes its {y.name!r} has;"
                " prepare it with --source=arrays"
            )
        return int(found)

    def _centre(self, labels: Sequence[int], mean: Sequence[float] | None) -> tuple[float, ...]:
        if self.kind != "regression":
            return ()
        return tuple(float(one) for one in mean or [0.0] * labels[0])


def _field(features: Sequence[FeatureSpec], names: Sequence[str], kind: str) -> FeatureSpec:
    for feature in features:
        if feature.name in names:
            return feature
    held = ", ".join(feature.name for feature in features)
    raise UserError(
        f"--task={kind} wants a dataset with a field {' or '.join(names)}; this one holds {held}"
    )
