"""Keras' classes as they were before TFF traced a model.

A model that is built inside a graph gives the classes of Keras' models and layers another base, of
version 1, and keeps it: models that were built before then fail outside, in `predict` and
`get_weights`. Building each layer again outside takes it back; so does this, at once.
"""

import importlib
from collections.abc import Iterator

import tensorflow as tf

from groundwork.untyped import KerasLayer


def restore() -> None:
    """Gives every class of Keras' that has a base of version 1 the one of version 2 back."""
    for kind in set(_below(tf.Module)):
        if _version_1(kind):
            continue
        bases = tuple(_second(base) if _version_1(base) else base for base in kind.__bases__)
        if bases != kind.__bases__:
            kind.__bases__ = bases


def archives_in_this_thread() -> None:
    """Keras writes its archives in the thread that imported it, and HDF5 in all others."""
    root = tf.keras.Model.__module__.partition(".engine")[0]
    importlib.import_module(f"{root}.saving.saving_lib")._SAVING_V3_ENABLED.value = True


def _below(kind: KerasLayer) -> Iterator[KerasLayer]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def _version_1(kind: KerasLayer) -> bool:
    return str(kind.__module__).endswith(("engine.training_v1", "engine.base_layer_v1"))


def _second(kind: KerasLayer) -> KerasLayer:
    return tf.keras.Model if kind.__module__.endswith("training_v1") else tf.keras.layers.Layer
