"""Sums over a client's examples of what the head of a model is given, for heads in closed form."""

import collections
from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.tasks.client_sums import Batch, BuildModel, Finding, Sums, Vector, client_sums
from fed_pretrain.tasks.task import Task

# Gram matrices of float32 lose half the digits of what is solved from them.
_PRECISE = tf.float64


Leaves = Callable[[Sums], Sums]


def class_sums(
    task: Task,
    build_model: BuildModel,
    head: str,
    second_moment: bool,
    leaves: Leaves | None = None,
) -> tff.Computation:
    """`((weights, nothing), client data) -> features, counts` by class, and `second_moment`.

    With `leaves`, which a client's sums go through before they are sent, phi is of length one: a
    bound that no data decides.
    """
    classes, width = task.num_classes, width_of(build_model().get_layer(head))

    def found(batch: Batch) -> Sums:
        features, _ = _features_and_logits(batch, head)
        if leaves is not None:
            features = tf.math.l2_normalize(features, axis=1)
        labels = tf.one_hot(batch.y, classes, dtype=_PRECISE)  # A label of -1 gives zeros.
        features *= tf.reduce_sum(labels, axis=1, keepdims=True)
        sums = collections.OrderedDict(
            features=tf.matmul(labels, features, transpose_a=True),
            counts=tf.reduce_sum(labels, axis=0),
        )
        if second_moment:
            sums["second_moment"] = tf.matmul(features, features, transpose_a=True)
        return sums

    def zeros(vector: Vector) -> Sums:
        shapes = {"features": [classes, width], "counts": [classes]}
        shapes |= {"second_moment": [width, width]} if second_moment else {}
        return collections.OrderedDict(
            (name, tf.zeros(shape, _PRECISE)) for name, shape in shapes.items()
        )

    finding = Finding(found, zeros, leaves)
    return client_sums(task, build_model, finding, positions=[])


def losses_by_scale(
    task: Task,
    build_model: BuildModel,
    head: str,
    scales: Sequence[float],
    leaves: Leaves | None = None,
) -> tff.Computation:
    """`((weights, nothing), client data) -> losses, squares, count`, or what `leaves` makes of it.

    The summed loss of the logits times each of the scales, and the summed squares of phi.
    """

    def found(batch: Batch) -> Sums:
        features, logits = _features_and_logits(batch, head)
        real = tf.cast(batch.y >= 0, _PRECISE)
        factors = tf.constant(list(scales), _PRECISE)

        def at(factor: tf.Tensor) -> tf.Tensor:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.maximum(batch.y, 0), factor * logits
            )
            return tf.reduce_sum(real * losses)

        losses = tf.stack([at(factor) for factor in tf.unstack(factors, num=len(scales))])
        squares = tf.reduce_sum(real[:, None] * features**2)
        return collections.OrderedDict(losses=losses, squares=squares, count=tf.reduce_sum(real))

    def zeros(vector: Vector) -> Sums:
        none = tf.constant(0.0, _PRECISE)
        losses = tf.zeros([len(scales)], _PRECISE)
        return collections.OrderedDict(losses=losses, squares=none, count=none)

    finding = Finding(found, zeros, leaves)
    return client_sums(task, build_model, finding, positions=[])


def votes(sums: Sums, scales: Sequence[float], lengths: Sequence[float]) -> Sums:
    """For the best of the scales and the nearest squared length: a one among zeros for each."""
    squared = tf.math.divide_no_nan(sums["squares"], sums["count"])
    away = tf.abs(tf.math.log(squared + 1e-12) - tf.math.log(tf.constant(lengths, _PRECISE)))
    here = tf.cast(sums["count"] > 0, _PRECISE)
    return collections.OrderedDict(
        scale=here * tf.one_hot(tf.argmin(sums["losses"]), len(scales), dtype=_PRECISE),
        length=here * tf.one_hot(tf.argmin(away), len(lengths), dtype=_PRECISE),
    )


def width_of(head: tf.keras.layers.Layer) -> int:
    """The length of phi."""
    return int(head.input_shape[-1])


def _features_and_logits(batch: Batch, head: str) -> tuple[tf.Tensor, tf.Tensor]:
    """The input of the head, a row an example, and its output, of one pass through the body.

    Over a map of places the features are their mean.
    """
    outputs = [batch.model.get_layer(head).input, batch.model.output]
    found = tf.keras.Model(batch.model.inputs, outputs)(batch.x, training=False)
    features, logits = (tf.cast(output, _PRECISE) for output in found)
    between = list(range(1, features.shape.rank - 1))
    return (tf.reduce_mean(features, axis=between) if between else features), logits
