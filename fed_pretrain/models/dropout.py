"""Dropout whose mask is a pure function of a key: the same client, round and step, the same mask.

A seeded Keras Dropout restarts its sequence whenever a graph is imported again, so that every
client of every round would see the same masks. Here the key enters as data: client work writes

    with dropout.keyed(key):  # int32[2] of (seed, round, client), the step folded in
        logits = model(x, training=True)

while it traces. Each layer folds its own name into the key; no state is kept anywhere.
"""

import contextlib
import contextvars
import zlib
from collections.abc import Iterator

import tensorflow as tf

# Named, because the automatic choice differs between devices and so would the masks.
_ALGORITHM = "philox"

_KEY: contextvars.ContextVar[tf.Tensor | None] = contextvars.ContextVar("dropout_key", default=None)


@contextlib.contextmanager
def keyed(key: tf.Tensor) -> Iterator[None]:
    """Within this block (at trace time) every KeyedDropout draws its mask from `key`."""
    token = _KEY.set(key)
    try:
        yield
    finally:
        _KEY.reset(token)


def step_key(key: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """The key of one local step."""
    return tf.random.experimental.stateless_fold_in(key, step, alg=_ALGORITHM)


def drop(x: tf.Tensor, rate: float, name: str, training: object) -> tf.Tensor:
    """Inverted dropout of `x` in training, keyed by the block's key and by `name`."""
    if rate == 0.0 or training is None:
        return x
    known = tf.get_static_value(training) if tf.is_tensor(training) else training
    if known is not None:
        return _dropped(x, rate, name, certain=True) if known else x
    # Keras builds functional models with a symbolic flag: both branches are traced.
    flag = tf.cast(training, tf.bool)
    return tf.cond(flag, lambda: _dropped(x, rate, name, certain=False), lambda: x)


def _dropped(x: tf.Tensor, rate: float, name: str, certain: bool) -> tf.Tensor:
    key = _KEY.get()
    if key is None:
        message = f"{name} was trained without a key: wrap the call in dropout.keyed(key)"
        if certain:
            raise RuntimeError(message)
        with tf.control_dependencies([tf.debugging.Assert(False, [message])]):
            return tf.identity(x)
    salt = tf.constant(zlib.crc32(name.encode()) & 0x7FFFFFFF, tf.as_dtype(key.dtype))
    own = tf.random.experimental.stateless_fold_in(key, salt, alg=_ALGORITHM)
    # Whole 32 bits: TensorFlow's floats of the same key differ between plain kernels and XLA's.
    bits = tf.random.stateless_uniform(
        tf.shape(x), own, minval=None, maxval=None, dtype=tf.int32, alg=_ALGORITHM
    )
    kept = tf.cast(bits >= int(rate * 2**32) - 2**31, x.dtype)
    return tf.ensure_shape(x * kept / (1.0 - rate), x.shape)


@tf.keras.saving.register_keras_serializable(package="fed_pretrain")
class KeyedDropout(tf.keras.layers.Layer):
    """Inverted dropout; identity outside training; refuses to train without a key."""

    def __init__(self, rate: float, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"a dropout rate is in [0, 1), this one is {rate}")
        self.rate = rate
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, training: object = None) -> tf.Tensor:
        return drop(inputs, self.rate, self.name, training)

    def compute_output_shape(self, input_shape: object) -> object:
        return input_shape

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "rate": self.rate}
