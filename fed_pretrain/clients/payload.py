"""What one client brings to a round, and how a device takes batches out of it.

A payload holds each row once (`x`, `y`), the `order` of the local steps (see local_work.py), the
stateless `key` of (seed, round, client) and how many `rows` are the client's: what is beyond them
in `x` and `y` is padding (see padding.py). In TFF it is a sequence of exactly one such struct.
"""

import collections
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from fed_pretrain.clients.encoder import padding_of
from fed_pretrain.clients.local_work import PADDING_ROW, LocalWork, make_order
from groundwork import randomness
from groundwork.untyped import Nested


def make_payload(
    x: np.ndarray, y: np.ndarray, work: LocalWork, seed: int, round_number: int, client_id: str
) -> "collections.OrderedDict[str, np.ndarray]":
    return collections.OrderedDict(
        x=x,
        y=y,
        order=make_order(len(x), work, seed, round_number, client_id),
        key=randomness.stateless_seed(seed, "client", round_number, client_id),
        rows=np.asarray(len(x), np.int32),
    )


def spec_of(
    x: tf.TensorSpec, y: tf.TensorSpec, batch_size: int | None
) -> "collections.OrderedDict[str, tf.TensorSpec]":
    """The TensorSpecs of a payload whose rows are `x` and `y`."""
    return collections.OrderedDict(
        x=x,
        y=y,
        order=tf.TensorSpec([None, batch_size], tf.int32),
        key=tf.TensorSpec([2], tf.int32),
        rows=tf.TensorSpec([], tf.int32),
    )


def payload_of(data: tf.data.Dataset) -> Nested:
    """The one payload of a client's sequence, inside a TensorFlow computation."""
    return tf.data.Dataset.get_single_element(data)


def num_steps(payload: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The steps up to the last one with a real row; those after it are padding."""
    worked = tf.reduce_any(payload["order"] >= 0, axis=1)
    numbers = tf.range(1, tf.shape(worked)[0] + 1)
    return tf.reduce_max(tf.concat([[0], tf.where(worked, numbers, 0)], axis=0))


def batch_at(
    payload: Mapping[str, tf.Tensor], step: tf.Tensor, fixed_shapes: bool = True
) -> tuple[tf.Tensor, tf.Tensor]:
    """The (x, y) batch of a step.

    fixed_shapes: batches of one size, as XLA needs them; padded slots hold row 0 with labels that
    do not count. Otherwise a batch has as many rows as are real, which come first in a step.
    """
    # Not a slice: XLA pads one from a varying place first.
    rows = tf.gather(payload["order"], step)
    real = rows >= 0
    if not fixed_shapes:
        rows = rows[: tf.reduce_sum(tf.cast(real, tf.int32))]
        return tf.gather(payload["x"], rows), tf.gather(payload["y"], rows)
    safe = tf.maximum(rows, 0)
    y = tf.gather(payload["y"], safe)
    real = tf.reshape(real, tf.concat([tf.shape(real), tf.ones([tf.rank(y) - 1], tf.int32)], 0))
    nothing = tf.constant(padding_of(y.dtype.name), y.dtype)
    return tf.gather(payload["x"], safe), tf.where(real, y, nothing)


def added_over_steps(
    found_at: Callable[[tf.Tensor], Nested], zeros: Nested, payload: Mapping[str, tf.Tensor]
) -> Nested:
    """What each step finds, added up in the order of the steps."""
    steps = num_steps(payload)

    def body(step: tf.Tensor, totals: Nested) -> tuple[tf.Tensor, Nested]:
        return step + 1, tf.nest.map_structure(tf.add, totals, found_at(step))

    return tf.while_loop(lambda step, _: step < steps, body, (tf.constant(0), zeros))[1]


# By the last part of a field's name: held_x is padded as x is.
_PADDED = ("x", "y", "order")


def padded(payload: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The payload with rows and steps padded to sizes that double from one to the next.

    Rows start at one batch. With one epoch a client of n rows so takes one of log2(n / batch) + 1
    shapes; with more epochs, of at most twice as many. What has no `rows` stays as it is.
    """
    if not isinstance(payload, Mapping) or "rows" not in payload:
        return payload
    batch = payload["order"].shape[1]
    full = collections.OrderedDict(payload)
    for name, value in payload.items():
        kind = name.split("_")[-1]
        if kind in _PADDED:
            smallest = 1 if kind == "order" else batch
            fill = {"x": 0, "y": padding_of(value.dtype.name), "order": PADDING_ROW}[kind]
            full[name] = _lengthened(value, bucket(len(value), smallest), fill)
    return full


def bucket(size: int, smallest: int) -> int:
    """The first of smallest, 2 smallest, 4 smallest, ... that holds `size`."""
    doublings = max(-(-size // smallest) - 1, 0).bit_length()
    return smallest << doublings


def _lengthened(values: np.ndarray, length: int, fill: float) -> np.ndarray:
    if len(values) == length:
        return values
    whole = np.full((length, *values.shape[1:]), fill, values.dtype)
    whole[: len(values)] = values
    return whole
