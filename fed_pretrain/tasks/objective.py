"""What a task minimises and what it counts, over the positions whose label is not -1."""

import abc
import collections
import math
from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf

from fed_pretrain.clients.encoder import PADDING_LABEL
from groundwork.untyped import Json, Nested


class Loss(Protocol):
    """What training needs of an objective; a task is one, too."""

    def statistics(
        self, y_true: tf.Tensor, logits: tf.Tensor
    ) -> "collections.OrderedDict[str, tf.Tensor]": ...


def mean_loss(sums: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """What is minimised, from a batch's statistics; 0 where nothing counts."""
    return tf.math.divide_no_nan(sums["loss_sum"], sums["count"])


class Objective(abc.ABC):
    """A loss, the sums of one forward pass, and the figures those sums give."""

    names: tuple[str, ...] = ("loss_sum", "count", "correct", "scored")
    """What `statistics` sums, in its order."""
    unscored: tuple[int, ...] = ()
    """Labels that the accuracy leaves out."""

    def loss(self, y_true: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """The mean loss over the positions that count; 0 where none does."""
        return mean_loss(self.statistics(y_true, logits))

    @abc.abstractmethod
    def statistics(
        self, y_true: tf.Tensor, logits: tf.Tensor
    ) -> "collections.OrderedDict[str, tf.Tensor]":
        """Float32 sums under `names`; sums of batches add up."""

    @abc.abstractmethod
    def summarise(self, sums: Mapping[str, Json]) -> dict[str, float]:
        """The figures of added-up sums; NaN where nothing was counted."""


class CrossEntropy(Objective):
    """Softmax cross-entropy in nats; accuracy leaves out the labels in `unscored`."""

    def __init__(self, unscored: tuple[int, ...] = (), perplexity: bool = False) -> None:
        self.unscored = tuple(unscored)
        self._perplexity = perplexity

    def statistics(
        self, y_true: tf.Tensor, logits: tf.Tensor
    ) -> "collections.OrderedDict[str, tf.Tensor]":
        losses, counted = self._losses(y_true, logits)
        scored = counted
        for label in self.unscored:
            scored *= tf.cast(tf.not_equal(y_true, label), tf.float32)
        hit = tf.equal(tf.argmax(logits, axis=-1, output_type=y_true.dtype), y_true)
        return collections.OrderedDict(
            loss_sum=tf.reduce_sum(losses),
            count=tf.reduce_sum(counted),
            correct=tf.reduce_sum(scored * tf.cast(hit, tf.float32)),
            scored=tf.reduce_sum(scored),
        )

    def summarise(self, sums: Mapping[str, Json]) -> dict[str, float]:
        loss = ratio(sums["loss_sum"], sums["count"])
        figures = {"loss": loss, "accuracy": ratio(sums["correct"], sums["scored"])}
        if self._perplexity:
            # Beyond exp(700) a float64 overflows; a diverged model has no perplexity worth more.
            figures["perplexity"] = math.exp(loss) if loss < 700 else math.inf
            if math.isnan(loss):
                figures["perplexity"] = math.nan
        return figures

    def _losses(self, y_true: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        counts = tf.not_equal(y_true, PADDING_LABEL)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.where(counts, y_true, tf.zeros_like(y_true)),
            logits=tf.cast(logits, tf.float32),
        )
        # `where`, not a product: a non-finite logit of a padded row must not leak.
        return tf.where(counts, losses, tf.zeros_like(losses)), tf.cast(counts, tf.float32)


def ratio(part: Nested, whole: Nested) -> float:
    """NaN of nothing."""
    return float(part) / float(whole) if float(whole) > 0 else math.nan


def keras_loss(objective: Objective) -> tf.keras.losses.Loss:
    """The objective as the Loss object that TFF's `from_keras_model` asks for."""
    return _KerasLoss(objective)


class _KerasLoss(tf.keras.losses.Loss):
    def __init__(self, objective: Objective) -> None:
        # The objective reduces by itself; Keras' reduction of a scalar is that scalar.
        super().__init__(reduction=tf.keras.losses.Reduction.SUM, name="objective")
        self._objective = objective

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return self._objective.loss(y_true, y_pred)
