"""Keras' layers with low-rank adapters in them, and the model that holds them."""

import math
import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from fed_pretrain.models.adapters import A, Adapters, B
from groundwork.errors import UserError
from groundwork.untyped import KerasLayer


class _Adapted(tf.keras.layers.Layer):
    """What the adapted layers share; in front of Keras' own layer among the bases."""

    lora_a_initializer = tf.keras.initializers.Orthogonal(seed=0)
    lora_b_initializer = tf.keras.initializers.Zeros()

    def __init__(self, adapters: Adapters, **config: Any) -> None:
        super().__init__(**config)
        self._adapters = adapters

    def build(self, input_shape: tf.TensorShape) -> None:
        super().build(input_shape)
        for variable in (self.kernel, self.bias):
            if variable is not None:
                freeze(self, variable)
        *window, outputs = self.kernel.shape
        rank = min(self._adapters.rank, math.prod(window))
        self.lora_a = self.add_weight(
            A, (*window, rank), initializer=self.lora_a_initializer, trainable=self._trains_a
        )
        self.lora_b = self.add_weight(B, (rank, outputs), initializer=self.lora_b_initializer)

    @property
    def _trains_a(self) -> bool:
        return self._adapters.trains_a

    def _added(self, through_a: tf.Tensor) -> tf.Tensor:
        return self._adapters.scale * tf.tensordot(through_a, self.lora_b, 1)


class _AdaptedDense(_Adapted, tf.keras.layers.Dense):
    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        outputs = tf.tensordot(inputs, self.kernel, 1)
        outputs += self._added(tf.tensordot(inputs, self.lora_a, 1))
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)


class _AdaptedConvolution(_Adapted):
    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        outputs = super().convolution_op(inputs, kernel)
        return outputs + self._added(super().convolution_op(inputs, self.lora_a))


class _AdaptedConv1D(_AdaptedConvolution, tf.keras.layers.Conv1D):
    pass


class _AdaptedConv2D(_AdaptedConvolution, tf.keras.layers.Conv2D):
    pass


PLAIN: Mapping[type[KerasLayer], type[KerasLayer]] = {
    _AdaptedDense: tf.keras.layers.Dense,
    _AdaptedConv1D: tf.keras.layers.Conv1D,
    _AdaptedConv2D: tf.keras.layers.Conv2D,
}
"""Each adapted layer's class, and that of the layer it was."""
_ADAPTED = {plain: adapted for adapted, plain in PLAIN.items()}


def add(model: tf.keras.Model, adapters: Adapters, head: str | None) -> tf.keras.Model:
    """The model built anew with adapters; what trains is these and the head."""
    able = [layer.name for layer in model.layers if _takes(layer) and layer.name != head]
    targets = {name for name in able if re.search(adapters.targets, name)}
    if not targets:
        raise UserError(
            f"--lora_targets={adapters.targets}: no layer that takes an adapter has such a name;"
            f" there are {', '.join(able) or 'none'}"
        )

    def rebuilt(layer: KerasLayer) -> KerasLayer:
        config = layer.get_config()
        if layer.name in targets:
            return _ADAPTED[type(layer)](adapters, **config)
        copy = type(layer).from_config(config)
        copy.trainable = layer.name == head
        return copy

    return tf.keras.models.clone_model(model, clone_function=rebuilt)


def _takes(layer: KerasLayer) -> bool:
    """Whether it is a Dense layer or a plain convolution with the channels last."""
    grouped = getattr(layer, "groups", 1) != 1
    first = getattr(layer, "data_format", None) == "channels_first"
    return type(layer) in _ADAPTED and not grouped and not first


def freeze(holder: KerasLayer, variable: tf.Variable) -> None:
    """One weight; Keras itself freezes whole layers only.

    In place, for Keras tracks what is assigned, and by identity, for it compares by value.
    """
    training = holder._trainable_weights
    place = next(i for i, other in enumerate(training) if other is variable)
    holder._non_trainable_weights.append(training.pop(place))
