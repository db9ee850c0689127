"""The same model in plain Keras layers, so that a saved file opens without this package.

Dropout by key becomes Keras' Dropout, our norms become Keras' own. The
transformers keep their own layers: whoever opens their files imports
`fed_pretrain.models.attention`."""

from typing import Any

import tensorflow as tf

from fed_pretrain.models.dropout import KeyedDropout
from fed_pretrain.models.norm import GroupNorm, LayerNorm

_PLAIN: dict[type, Any] = {
    KeyedDropout: tf.keras.layers.Dropout,
    GroupNorm: tf.keras.layers.GroupNormalization,
    LayerNorm: tf.keras.layers.LayerNormalization,
}


def portable(model: tf.keras.Model) -> tf.keras.Model:
    """A copy with the same layer names and weights, of Keras' own layers where we have a choice."""
    copy = tf.keras.models.clone_model(model, clone_function=_plain)
    copy.set_weights(model.get_weights())
    return copy


def _plain(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    return _PLAIN.get(type(layer), type(layer)).from_config(layer.get_config())
