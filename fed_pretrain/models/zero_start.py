"""Models whose weights are assigned before anything reads them need no random first values."""

import contextlib
from collections.abc import Callable

import tensorflow as tf

from groundwork.untyped import KerasLayer, Nested


def starting_at_zero() -> contextlib.AbstractContextManager[None]:
    """In it, variables begin at zero: a client's work draws no million numbers for nothing."""
    scope: contextlib.AbstractContextManager[None] = tf.variable_creator_scope(_at_zero)
    return scope


def _at_zero(next_creator: Callable[..., KerasLayer], **settings: Nested) -> KerasLayer:
    if callable(settings.get("initial_value")) and settings.get("shape") is not None:
        shape = tf.TensorShape(settings["shape"])
        dtype = settings.get("dtype") or tf.float32
        settings["initial_value"] = lambda: tf.zeros(shape, dtype)
    return next_creator(**settings)
