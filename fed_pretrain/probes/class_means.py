"""What each filter answers to the examples of each class, as misalignment.py defines it.

Sums over the examples stand for the means: only their signs are looked at.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from fed_pretrain.models.weights import Weights
from fed_pretrain.probes.filter_layers import FilterLayer, filter_layers
from fed_pretrain.tasks.evaluation import assign

DEFINITIONS = ("live", "fixed", "patch")
HELD_BYTES = 1 << 30
"""Layer inputs no larger than this are computed once for all rounds; ResNet18 on CIFAR-10 fits."""
_BATCH = 64
# Means (filters, classes) of one layer, by layer name.
Means = dict[str, np.ndarray]


class ClassMeans:
    """Computes the means for any weights; the model is built once."""

    def __init__(self, build_model: Callable[[], Any], x: np.ndarray, y: np.ndarray) -> None:
        self._model = build_model()
        self._layers = filter_layers(self._model)
        self._inputs = tf.keras.Model(
            self._model.inputs, [layer.convolution.input for layer in self._layers]
        )
        self._x = x
        self._y = np.asarray(y)
        self.classes = [int(c) for c in np.unique(self._y)]
        self.read_at = {
            layer.name: "norm output" if layer.norm is not None else "convolution with bias"
            for layer in self._layers
        }

    def inputs_at(self, weights: Weights) -> "HeldInputs":
        """The layer inputs of the model with these weights, for the `fixed` means."""
        return HeldInputs(lambda rows: self._layer_inputs(weights, rows))

    def __call__(self, weights: Weights, held: "HeldInputs | None" = None) -> dict[str, Means]:
        """`live` and `patch` means, and `fixed` ones on the inputs held."""
        sums: dict[str, Means] = {name: {} for name in DEFINITIONS}
        for first in range(0, len(self._x), _BATCH):
            rows = slice(first, first + _BATCH)
            fixed = held.at(rows) if held is not None else []
            live = self._layer_inputs(weights, rows)
            for layer, x in zip(self._layers, live, strict=True):
                response = layer.patch_response(x)
                self._add(sums["live"], layer, layer.entering(response), rows)
                self._add(sums["patch"], layer, response, rows)
            for layer, x in zip(self._layers, fixed, strict=False):
                response = layer.entering(layer.patch_response(x))
                self._add(sums["fixed"], layer, response, rows)
        return {name: means for name, means in sums.items() if means}

    def _layer_inputs(self, weights: Weights, rows: slice) -> list[tf.Tensor]:
        """Leaves the model with these weights."""
        assign(self._model, weights)
        outputs = self._inputs(tf.constant(self._x[rows]), training=False)
        return outputs if isinstance(outputs, list) else [outputs]

    def _add(self, sums: Means, layer: FilterLayer, response: tf.Tensor, rows: slice) -> None:
        """Adds per class; dividing by the class' size would not change a sign."""
        means = tf.reduce_mean(tf.cast(response, tf.float64), axis=[1, 2]).numpy()
        labels = self._y[rows]
        added = np.stack([means[labels == c].sum(axis=0) for c in self.classes], axis=1)
        sums[layer.name] = sums.get(layer.name, 0.0) + added


class HeldInputs:
    """The layer inputs of one model, batch by batch: computed once, while they fit `HELD_BYTES`."""

    def __init__(self, compute: Callable[[slice], list[tf.Tensor]]) -> None:
        self._compute = compute
        self._held: dict[int, list[tf.Tensor]] = {}
        self._bytes = 0

    def at(self, rows: slice) -> list[tf.Tensor]:
        if rows.start in self._held:
            return self._held[rows.start]
        inputs = self._compute(rows)
        size = sum(one.shape.num_elements() * one.dtype.size for one in inputs)
        if self._bytes + size <= HELD_BYTES:
            self._held[rows.start] = inputs
            self._bytes += size
        return inputs
