"""Sums over a client's examples of what the head of a model is given, for heads in closed form."""

import collections
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.tasks.client_sums import Batch, BuildModel, Finding, Sums, Vector, client_sums
from fed_pretrain.tasks.task import Task

# Gram matrices of float32 lose half the digits of what is solved from them.
PRECISE = tf.float64

Leaves = Callable[[Sums], Sums]


@dataclasses.dataclass(frozen=True)
class SecondMoment:
    """Sums of squares or products of phi: `of` labels (one-hot) and features, of this `shape`.

    symmetric: of its last two dimensions a client sends one triangle.
    """

    of: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    shape: Callable[[int, int], list[int]]
    symmetric: bool = False

    def numbers(self, classes: int, width: int) -> int:
        """How many a client sends."""
        full = math.prod(self.shape(classes, width))
        return full * (width + 1) // (2 * width) if self.symmetric else full


WHOLE, BY_CLASS, DIAGONAL, SPHERICAL = "whole", "by class", "diagonal", "spherical"
SECOND_MOMENTS: Mapping[str, SecondMoment] = {
    WHOLE: SecondMoment(
        lambda labels, features: tf.matmul(features, features, transpose_a=True),
        lambda classes, width: [width, width],
        symmetric=True,
    ),
    BY_CLASS: SecondMoment(
        lambda labels, features: tf.einsum("nc,nd,ne->cde", labels, features, features),
        lambda classes, width: [classes, width, width],
        symmetric=True,
    ),
    DIAGONAL: SecondMoment(
        lambda labels, features: tf.matmul(labels, features**2, transpose_a=True),
        lambda classes, width: [classes, width],
    ),
    SPHERICAL: SecondMoment(
        lambda labels, features: tf.linalg.matvec(
            labels, tf.reduce_sum(features**2, axis=1), transpose_a=True
        ),
        lambda classes, width: [classes],
    ),
}


def class_sums(
    task: Task,
    build_model: BuildModel,
    head: str,
    second_moment: str | None,
    leaves: Leaves | None = None,
) -> tff.Computation:
    """`((weights, nothing), client data) -> features, counts` by class, and `second_moment`.

    With `leaves`, which a client's sums go through before they are sent, phi is of length one: a
    bound that no data decides.
    """
    classes, width = task.num_classes, width_of(build_model().get_layer(head))
    moment = None if second_moment is None else SECOND_MOMENTS[second_moment]

    def found(batch: Batch) -> Sums:
        features, _ = features_and_logits(batch, head)
        if leaves is not None:
            features = tf.math.l2_normalize(features, axis=1)
        labels = tf.one_hot(batch.y, classes, dtype=PRECISE)  # A label of -1 gives zeros.
        features *= tf.reduce_sum(labels, axis=1, keepdims=True)
        sums = collections.OrderedDict(
            features=tf.matmul(labels, features, transpose_a=True),
            counts=tf.reduce_sum(labels, axis=0),
        )
        if moment is not None:
            sums["second_moment"] = moment.of(labels, features)
        return sums

    def zeros(vector: Vector) -> Sums:
        shapes = {"features": [classes, width], "counts": [classes]}
        shapes |= {} if moment is None else {"second_moment": moment.shape(classes, width)}
        return collections.OrderedDict(
            (name, tf.zeros(shape, PRECISE)) for name, shape in shapes.items()
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
        features, logits = features_and_logits(batch, head)
        real = tf.cast(batch.y >= 0, PRECISE)
        factors = tf.constant(list(scales), PRECISE)

        def at(factor: tf.Tensor) -> tf.Tensor:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.maximum(batch.y, 0), factor * logits
            )
            return tf.reduce_sum(real * losses)

        losses = tf.stack([at(factor) for factor in tf.unstack(factors, num=len(scales))])
        squares = tf.reduce_sum(real[:, None] * features**2)
        return collections.OrderedDict(losses=losses, squares=squares, count=tf.reduce_sum(real))

    def zeros(vector: Vector) -> Sums:
        none = tf.constant(0.0, PRECISE)
        losses = tf.zeros([len(scales)], PRECISE)
        return collections.OrderedDict(losses=losses, squares=none, count=none)

    finding = Finding(found, zeros, leaves)
    return client_sums(task, build_model, finding, positions=[])


def votes(sums: Sums, scales: Sequence[float], lengths: Sequence[float]) -> Sums:
    """For the best of the scales and the nearest squared length: a one among zeros for each."""
    squared = tf.math.divide_no_nan(sums["squares"], sums["count"])
    away = tf.abs(tf.math.log(squared + 1e-12) - tf.math.log(tf.constant(lengths, PRECISE)))
    here = tf.cast(sums["count"] > 0, PRECISE)
    return collections.OrderedDict(
        scale=here * tf.one_hot(tf.argmin(sums["losses"]), len(scales), dtype=PRECISE),
        length=here * tf.one_hot(tf.argmin(away), len(lengths), dtype=PRECISE),
    )


def width_of(head: tf.keras.layers.Layer) -> int:
    """The length of phi."""
    return int(head.input_shape[-1])


def features_and_logits(batch: Batch, head: str) -> tuple[tf.Tensor, tf.Tensor]:
    """The input of the head, a row an example, and its output, of one pass through the body.

    Over a map of places the features are their mean.
    """
    outputs = [batch.model.get_layer(head).input, batch.model.output]
    found = tf.keras.Model(batch.model.inputs, outputs)(batch.x, training=False)
    features, logits = (tf.cast(output, PRECISE) for output in found)
    between = list(range(1, features.shape.rank - 1))
    return (tf.reduce_mean(features, axis=between) if between else features), logits
