"""The models as Keras' and TFF's, for the contestants of TensorFlow."""

import collections
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from benchmarks.peers.cases import build, model_of


def spec(model: str) -> Any:
    return model_of(model).spec()


def tff_model(model: str) -> Any:
    x, y = spec(model)
    return tff.learning.models.from_keras_model(
        build(model),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        input_spec=collections.OrderedDict(x=x, y=y),
        metrics=[],
    )
