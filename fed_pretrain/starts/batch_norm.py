"""What becomes of BatchNorm layers in a federated model: GroupNorm, folded away, or kept.

TFF neither averages nor resets the moving statistics of a client's BatchNorm, and clients with
unlike data have unlike batch statistics (Hsieh et al. 2020), so keeping them is a choice to name.
Layers are exchanged in the model's configuration: names, and with them identity, stay.
"""

import copy
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from fed_pretrain.models.norm import GroupNorm, groups_of
from fed_pretrain.starts.start_config import (
    AVERAGE,
    FOLD,
    FROZEN,
    GROUP_NORM,
    KEEP,
    LOCAL,
    BatchNormPolicy,
)
from groundwork.errors import UserError
from groundwork.untyped import Json, KerasLayer

MOVING = ("moving_mean", "moving_variance")

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "Dense", "Conv1D")
_BATCH_NORM = "BatchNormalization"


def layers(model: tf.keras.Model) -> list[str]:
    """The names of the model's BatchNorm layers."""
    return [
        layer.name
        for layer in model.layers
        if isinstance(layer, tf.keras.layers.BatchNormalization)
    ]


def normalised_layers(model: tf.keras.Model) -> list[str]:
    """BatchNorm layers, and GroupNorm layers where a file has BatchNorm."""
    kinds = (tf.keras.layers.BatchNormalization, tf.keras.layers.GroupNormalization)
    return [layer.name for layer in model.layers if isinstance(layer, kinds)]


def apply(model: tf.keras.Model, policy: BatchNormPolicy) -> tf.keras.Model:
    """The model with its BatchNorm layers exchanged; the same object if it has none."""
    if not layers(model) or (policy.policy == KEEP and policy.statistics != FROZEN):
        return model
    config = copy.deepcopy(model.get_config())
    exchange = {GROUP_NORM: _group_norm, FOLD: _folded, KEEP: _with_fixed_statistics}
    if policy.policy == FOLD:
        pairs = fold_pairs(model)
        for layer in config["layers"]:
            if layer["config"]["name"] in pairs.values():
                layer["config"]["use_bias"] = True
    for layer in config["layers"]:
        if layer["class_name"] == _BATCH_NORM:
            exchange[policy.policy](layer, model.get_layer(layer["config"]["name"]), policy)
    return tf.keras.Model.from_config(config)


def warning(model: tf.keras.Model, policy: BatchNormPolicy) -> str | None:
    """What a person must know who keeps moving statistics in federated training."""
    names = layers(model)
    if not names or policy.policy != KEEP or policy.statistics == FROZEN:
        return None
    fate = {
        LOCAL: "clients normalise by their own batches and their moving statistics are thrown "
        "away, so evaluation uses the statistics of the start for ever",
        AVERAGE: "clients normalise by their own batches, their moving statistics are averaged "
        "with the update, and averages over unlike clients fit no client exactly",
    }[policy.statistics]
    return (
        f"--batch_norm=keep --bn_statistics={policy.statistics} leaves {len(names)} BatchNorm "
        f"layers trainable: {fate}"
    )


def fold_pairs(model: tf.keras.Model) -> dict[str, str]:
    """BatchNorm layer -> the convolution it is folded into; refused where it follows none."""
    pairs = {}
    for name in layers(model):
        layer = model.get_layer(name)
        before = layer.input._keras_history.layer
        if (
            type(before).__name__ not in _CONVOLUTIONS
            or len(before._outbound_nodes) != 1
            or before.activation is not tf.keras.activations.linear
        ):
            raise UserError(
                f"--batch_norm=fold: layer {name!r} follows {before.name!r} "
                f"({type(before).__name__}), and only a convolution without activation whose "
                "output goes nowhere else can take it up"
            )
        pairs[name] = before.name
    return pairs


def fold(tensors: Mapping[str, np.ndarray], model: tf.keras.Model) -> dict[str, np.ndarray]:
    """The file's tensors with each BatchNorm's scale and shift inside its convolution."""
    folded = dict(tensors)
    for name, convolution in fold_pairs(model).items():
        layer = model.get_layer(name)
        parts = {key: folded.pop(f"{name}/{key}", None) for key in ("gamma", "beta", *MOVING)}
        kernel_name = f"{convolution}/{_kernel_attribute(model.get_layer(convolution))}"
        if kernel_name not in folded or parts[MOVING[0]] is None or parts[MOVING[1]] is None:
            continue  # The report names what is missing.
        mean, variance = parts[MOVING[0]], parts[MOVING[1]]
        gamma = np.ones_like(mean) if parts["gamma"] is None else parts["gamma"]
        beta = np.zeros_like(mean) if parts["beta"] is None else parts["beta"]
        scale = gamma / np.sqrt(variance + layer.epsilon)
        kernel = folded[kernel_name]
        shape = (*kernel.shape[-2:],) if kernel_name.endswith("depthwise_kernel") else (-1,)
        folded[kernel_name] = (kernel * scale.reshape(shape)).astype(kernel.dtype)
        bias = folded.get(f"{convolution}/bias", np.zeros_like(mean))
        folded[f"{convolution}/bias"] = (beta + (bias - mean) * scale).astype(kernel.dtype)
    return folded


def _kernel_attribute(layer: tf.keras.layers.Layer) -> str:
    return "depthwise_kernel" if type(layer).__name__ == "DepthwiseConv2D" else "kernel"


def _group_norm(layer: dict[str, Json], built: KerasLayer, policy: BatchNormPolicy) -> None:
    old = layer["config"]
    axis = built.axis[0] if isinstance(built.axis, (list, tuple)) else built.axis
    channels = int(built.input_shape[axis])
    kept = ("name", "dtype", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer")
    if axis != len(built.input_shape) - 1:
        raise UserError(f"--batch_norm=group_norm: layer {built.name!r} does not end in channels")
    group_norm = GroupNorm(
        groups=groups_of(channels, policy.groups), **{key: old[key] for key in kept}
    )
    layer.update(tf.keras.saving.serialize_keras_object(group_norm))


def _folded(layer: dict[str, Json], built: KerasLayer, policy: BatchNormPolicy) -> None:
    layer["class_name"] = "Activation"
    layer["config"] = {"name": layer["config"]["name"], "activation": "linear"}


def _with_fixed_statistics(
    layer: dict[str, Json], built: KerasLayer, policy: BatchNormPolicy
) -> None:
    """Calls the layer with training=False always: its scale and shift may train, no more."""
    for node in layer["inbound_nodes"]:
        for connection in node:
            connection[3] = {**connection[3], "training": False}
