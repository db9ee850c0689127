"""Objectives for labels that are not classes: measurements, several labels at once, a loss of one's
own.

Each sums what CrossEntropy sums, so that rounds, evaluations and probes need not tell them apart.
"""

import collections
from collections.abc import Callable, Mapping

import tensorflow as tf

from fed_pretrain.clients.encoder import PADDING_LABEL
from fed_pretrain.tasks.objective import Objective, ratio
from groundwork.untyped import Json

OwnLoss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class _Summed(Objective):
    """By position: the losses, whether each counts, and the two parts of the accuracy."""

    def summarise(self, sums: Mapping[str, Json]) -> dict[str, float]:
        return {
            "loss": ratio(sums["loss_sum"], sums["count"]),
            "accuracy": ratio(sums["correct"], sums["scored"]),
        }


class SquaredError(_Summed):
    """The mean squared error; accuracy is the share of the variance explained (R squared).

    The variance is around `centre`, the mean of the measurements, one number an output: 0 is what
    always giving that mean scores. Errors are in units of `spread`. A measurement that is NaN does
    not count.
    """

    def __init__(self, centre: tuple[float, ...], spread: tuple[float, ...] = ()) -> None:
        self._centre = centre
        self._spread = spread or (1.0,) * len(centre)

    def statistics(
        self, y_true: tf.Tensor, logits: tf.Tensor
    ) -> "collections.OrderedDict[str, tf.Tensor]":
        counts = tf.math.is_finite(y_true)
        measured = tf.where(counts, y_true, tf.zeros_like(y_true))
        outputs = tf.reshape(tf.cast(logits, tf.float32), tf.shape(y_true))
        unit = tf.constant(self._spread)
        away = tf.where(counts, outputs - measured, tf.zeros_like(measured)) / unit
        around = (
            tf.where(counts, measured - tf.constant(self._centre), tf.zeros_like(measured)) / unit
        )
        squares, variance = tf.reduce_sum(away**2), tf.reduce_sum(around**2)
        return collections.OrderedDict(
            loss_sum=squares,
            count=tf.reduce_sum(tf.cast(counts, tf.float32)),
            correct=variance - squares,
            scored=variance,
        )


class BinaryCrossEntropy(_Summed):
    """A yes or no for each output; accuracy is the share of them that is right."""

    def statistics(
        self, y_true: tf.Tensor, logits: tf.Tensor
    ) -> "collections.OrderedDict[str, tf.Tensor]":
        counts = tf.not_equal(y_true, PADDING_LABEL)
        labels = tf.cast(tf.equal(y_true, 1), tf.float32)
        outputs = tf.reshape(tf.cast(logits, tf.float32), tf.shape(y_true))
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=outputs)
        right = tf.logical_and(counts, tf.equal(outputs > 0, labels > 0))
        counted = tf.reduce_sum(tf.cast(counts, tf.float32))
        return collections.OrderedDict(
            loss_sum=tf.reduce_sum(tf.where(counts, losses, tf.zeros_like(losses))),
            count=counted,
            correct=tf.reduce_sum(tf.cast(right, tf.float32)),
            scored=counted,
        )


class WithOwnLoss(_Summed):
    """Another loss, the accuracy of a usual objective.

    `own(y, outputs)` gives a number for each example, as Keras' functions of losses do.
    """

    def __init__(self, own: OwnLoss, usual: Objective) -> None:
        self._own = own
        self._usual = usual
        self.unscored = usual.unscored

    def statistics(
        self, y_true: tf.Tensor, logits: tf.Tensor
    ) -> "collections.OrderedDict[str, tf.Tensor]":
        sums = self._usual.statistics(y_true, logits)
        counts = _examples_that_count(y_true)
        # The loss meets no padding: a label of -1 or NaN is nothing it was written for.
        safe = tf.where(_beside(counts, y_true), y_true, tf.zeros_like(y_true))
        losses = tf.cast(self._own(safe, logits), tf.float32)
        losses = tf.reshape(losses, [tf.shape(y_true)[0], -1])
        losses = tf.where(counts[:, None], losses, tf.zeros_like(losses))
        places = tf.cast(tf.shape(losses)[1], tf.float32)
        return collections.OrderedDict(
            loss_sum=tf.reduce_sum(losses),
            count=tf.reduce_sum(tf.cast(counts, tf.float32)) * places,
            correct=sums["correct"],
            scored=sums["scored"],
        )


def _examples_that_count(y: tf.Tensor) -> tf.Tensor:
    """Those with a label, or a part of one."""
    known = tf.math.is_finite(y) if y.dtype.is_floating else tf.not_equal(y, PADDING_LABEL)
    return tf.reduce_any(tf.reshape(known, [tf.shape(y)[0], -1]), axis=1)


def _beside(examples: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """With as many axes as the labels have."""
    return tf.reshape(examples, [-1] + [1] * (y.shape.rank - 1))
