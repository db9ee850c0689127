"""Serialised examples -> stacked tensors, by one parse_example."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from data_prep.store.features import FeatureSpec
from groundwork.untyped import Json

if TYPE_CHECKING:
    import tensorflow as tf


class ExampleParser:
    """Parses many examples of one layout at once; imports TensorFlow at the first use."""

    def __init__(self, features: Sequence[FeatureSpec]) -> None:
        self._features = tuple(features)

    @functools.cached_property
    def _description(self) -> dict[str, Json]:
        import tensorflow as tf

        types = {"int64": tf.int64, "float32": tf.float32}
        return {
            feature.name: tf.io.FixedLenFeature(
                feature.shape if feature.kind in types else (), types.get(feature.kind, tf.string)
            )
            for feature in self._features
        }

    def parse(self, records: "Sequence[bytes] | tf.Tensor") -> "dict[str, tf.Tensor]":
        import tensorflow as tf

        serialised = tf.convert_to_tensor(records, tf.string)
        parsed = tf.io.parse_example(serialised, self._description)
        for feature in self._features:
            if feature.kind == "image":
                flat = tf.io.decode_raw(parsed[feature.name], tf.uint8)
                count = tf.shape(serialised)[:1]
                parsed[feature.name] = tf.reshape(flat, tf.concat([count, feature.shape], 0))
                parsed[feature.name].set_shape((*serialised.shape, *feature.shape))
        return parsed
