"""Server optimizers: TFF's own, plus L2 decay, LAMB, schedules and a guard for empty rounds."""

import collections
import dataclasses
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import schedule
from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig


def build(config: AlgorithmConfig, learning_rate: float | None = None) -> Any:
    """The optimizer the config names, without its schedule."""
    rate = config.server_learning_rate if learning_rate is None else learning_rate
    beta1, beta2, epsilon = config.server_beta1, config.server_beta2, config.server_epsilon
    optimizers = tff.learning.optimizers
    kind = config.server_optimizer
    if kind == "adamw":
        return optimizers.build_adamw(rate, beta1, beta2, epsilon, config.server_weight_decay)
    if kind == "lamb":
        return Lamb(rate, beta1, beta2, epsilon, config.server_weight_decay)
    if kind == "adam":
        optimizer = optimizers.build_adam(rate, beta1, beta2, epsilon)
    elif kind == "yogi":
        optimizer = optimizers.build_yogi(
            rate, beta1, beta2, epsilon, config.server_initial_accumulator
        )
    elif kind == "adagrad":
        optimizer = optimizers.build_adagrad(rate, config.server_initial_accumulator, epsilon)
    elif kind == "rmsprop":
        optimizer = optimizers.build_rmsprop(rate, beta2, epsilon)
    else:
        optimizer = optimizers.build_sgdm(rate, config.server_momentum or None)
    return _L2(optimizer, config.server_weight_decay) if config.server_weight_decay else optimizer


def scheduled(config: AlgorithmConfig) -> Any:
    """The finalizer's optimizer, its learning rate following the server schedule."""
    optimizer = build(config)
    plan = schedule.server(config)
    if plan.constant:
        return optimizer
    rate = config.server_learning_rate
    return tff.learning.optimizers.schedule_learning_rate(
        optimizer, lambda round_number: rate * plan.factor(round_number)
    )


def plain(config: AlgorithmConfig) -> Any:
    """SGD with the server's learning rate and schedule (MimeLite and Mime move by it)."""
    return scheduled(
        dataclasses.replace(
            config, server_optimizer="sgd", server_momentum=0.0, server_weight_decay=0.0
        )
    )


def build_finalizer(optimizer: Any, weights_type: Any) -> Any:
    """Applies the optimizer; one that is not finite or that nobody sent moves nothing."""
    return tff.learning.templates.build_apply_optimizer_finalizer(
        optimizer, weights_type, should_reject_update=_reject
    )


def _reject(state: Any, update: Any) -> Any:
    squared = tf.add_n([tf.nn.l2_loss(leaf) for leaf in tf.nest.flatten(update)])
    non_finite = tf.logical_not(tf.math.is_finite(squared))
    empty = tf.equal(squared, 0.0)
    measurements = collections.OrderedDict(
        update_non_finite=tf.cast(non_finite, tf.int32), update_empty=tf.cast(empty, tf.int32)
    )
    return tf.logical_or(non_finite, empty), measurements


class _L2(tff.learning.optimizers.Optimizer):
    """Adds `decay * w` to the gradient, as PyTorch's `weight_decay` does (the papers' code)."""

    def __init__(self, inner: Any, decay: float) -> None:
        self._inner = inner
        self._decay = decay

    def initialize(self, specs: Any) -> Any:
        return self._inner.initialize(specs)

    def next(self, state: Any, weights: Any, gradients: Any) -> Any:
        decayed = tf.nest.map_structure(lambda g, w: g + self._decay * w, gradients, weights)
        return self._inner.next(state, weights, decayed)

    def get_hparams(self, state: Any) -> Any:
        return self._inner.get_hparams(state)

    def set_hparams(self, state: Any, hparams: Any) -> Any:
        return self._inner.set_hparams(state, hparams)


class Lamb(tff.learning.optimizers.Optimizer):
    def __init__(
        self, learning_rate: float, beta1: float, beta2: float, epsilon: float, decay: float
    ) -> None:
        self._learning_rate = learning_rate
        self._beta1, self._beta2 = beta1, beta2
        self._epsilon, self._decay = epsilon, decay

    def initialize(self, specs: Any) -> Any:
        def zeros() -> Any:
            return tf.nest.map_structure(lambda s: tf.zeros(s.shape, s.dtype), specs)

        return collections.OrderedDict(
            learning_rate=tf.constant(self._learning_rate, tf.float32),
            step=tf.constant(0),
            first=zeros(),
            second=zeros(),
        )

    def next(self, state: Any, weights: Any, gradients: Any) -> Any:
        step = state["step"] + 1
        t = tf.cast(step, tf.float32)
        b1, b2 = self._beta1, self._beta2
        first = tf.nest.map_structure(
            lambda m, g: b1 * m + (1.0 - b1) * g, state["first"], gradients
        )
        second = tf.nest.map_structure(
            lambda v, g: b2 * v + (1.0 - b2) * g * g, state["second"], gradients
        )
        rate = tf.cast(state["learning_rate"], tf.float32)

        def moved(w: tf.Tensor, m: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
            root = tf.sqrt(v / (1.0 - tf.pow(b2, t))) + self._epsilon
            direction = m / (1.0 - tf.pow(b1, t)) / root + self._decay * w
            norms = tf.norm(w), tf.norm(direction)
            defined = tf.minimum(*norms) > 0.0
            ratio = tf.where(defined, tf.math.divide_no_nan(*norms), 1.0)
            return w - rate * ratio * direction

        new = collections.OrderedDict(
            learning_rate=state["learning_rate"], step=step, first=first, second=second
        )
        return new, tf.nest.map_structure(moved, weights, first, second)
