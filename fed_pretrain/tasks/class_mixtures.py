"""A client's mixture of Gaussians for each class, of what the head of a model is given (FedPFT).

Expectation and maximisation begin at the first examples of a class, a component each, and at the
variance of the class. What a client sends are the sums that the last maximisation is made of.
"""

import collections
import dataclasses

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.tasks.client_sums import Batch, BuildModel, Finding, Sums, client_sums
from fed_pretrain.tasks.feature_sums import (
    PRECISE,
    SECOND_MOMENTS,
    SecondMoment,
    features_and_logits,
    width_of,
)
from fed_pretrain.tasks.task import Task

ITERATIONS = 10
# The share of a client's mean variance that every variance has at least.
FLOOR = 1e-3
_TINY = 1e-12


def class_mixtures(
    task: Task, build_model: BuildModel, head: str, components: int, second_moment: str
) -> tff.Computation:
    """As `feature_sums.class_sums`, with the components as a leading axis."""
    width, moment = width_of(build_model().get_layer(head)), SECOND_MOMENTS[second_moment]

    def found(batch: Batch) -> Sums:
        features, _ = features_and_logits(batch, head)
        return {"features": features, "labels": tf.cast(batch.y, tf.int32)}

    def leaves(rows: Sums) -> Sums:
        fit = _Fit(rows["features"], rows["labels"], task.num_classes, components, moment)
        counts, features, squares = fit.sums()
        return collections.OrderedDict(features=features, counts=counts, second_moment=squares)

    rows = {
        "features": tf.TensorSpec([None, width], PRECISE),
        "labels": tf.TensorSpec([None], tf.int32),
    }
    return client_sums(task, build_model, Finding(found, leaves=leaves, rows=rows), positions=[])


@dataclasses.dataclass(frozen=True)
class _Fit:
    """Of rows with their labels; those with a label of -1 are padding.

    `k` components, `n` rows, `c` classes, `d` features: sums are counts [k, c], features [k, c, d]
    and squares, and shares [k, n] say how much of a row is of which component of its class.
    """

    features: tf.Tensor
    labels: tf.Tensor
    classes: int
    components: int
    moment: SecondMoment

    def sums(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        hot = tf.one_hot(self.labels, self.classes, dtype=PRECISE)
        whole = self._maximised(tf.reduce_sum(hot, axis=1)[None])
        spread = _variances(*whole)
        floor = FLOOR * tf.reduce_mean(spread) + _TINY
        # The first row of a class is of rank 0.
        rank = tf.reduce_sum(tf.cumsum(hot) * hot, axis=1) - 1.0
        numbers = tf.range(self.components, dtype=PRECISE)
        first = tf.cast(tf.equal(rank, numbers[:, None]), PRECISE)
        counts, means, _ = self._maximised(first)
        shares = self._expected(counts, means, spread + floor)
        for _ in range(ITERATIONS):
            counts, features, squares = self._maximised(shares)
            spread = _variances(counts, features, squares)
            shares = self._expected(counts, _per(features, counts), spread + floor)
        return self._maximised(shares)

    def _maximised(self, shares: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        hot = tf.one_hot(self.labels, self.classes, dtype=PRECISE)
        own = [part[:, None] * hot for part in tf.unstack(shares)]
        return (
            tf.stack([tf.reduce_sum(part, axis=0) for part in own]),
            tf.stack([tf.matmul(part, self.features, transpose_a=True) for part in own]),
            tf.stack([self.moment.of(part, self.features) for part in own]),
        )

    def _expected(self, counts: tf.Tensor, means: tf.Tensor, variances: tf.Tensor) -> tf.Tensor:
        label = tf.maximum(self.labels, 0)
        away = self.features - tf.gather(means, label, axis=1)
        wide = tf.gather(variances + tf.zeros_like(means), label, axis=1)
        misfit = tf.reduce_sum(away**2 / wide + tf.math.log(wide), axis=2)
        shares = tf.nn.softmax(tf.math.log(tf.gather(counts, label, axis=1)) - misfit / 2, axis=0)
        return tf.where(self.labels >= 0, shares, tf.zeros_like(shares))


def _variances(counts: tf.Tensor, features: tf.Tensor, squares: tf.Tensor) -> tf.Tensor:
    """By component, class and feature; spherical ones are of the mean feature."""
    means = _per(features, counts)
    if squares.shape.rank == features.shape.rank:
        return tf.maximum(_per(squares, counts) - means**2, 0.0)
    spread = tf.math.divide_no_nan(squares, counts) - tf.reduce_sum(means**2, axis=-1)
    width = tf.cast(tf.shape(features)[-1], PRECISE)
    return tf.maximum(spread / width, 0.0)[..., None]


def _per(sums: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(sums, counts[..., None])
