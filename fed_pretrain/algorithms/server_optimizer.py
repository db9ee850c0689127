"""What every server optimizer gets: L2 decay, a schedule and a guard for empty rounds."""

import collections
import dataclasses

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import known_server_optimizers, schedule
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from groundwork.untyped import Nested, Optimizer, Process, Spec, State, TffType, Weights


def build(config: ResolvedAlgorithm) -> Optimizer:
    """The optimizer the config names, without its schedule."""
    kind, decay = known_server_optimizers.named(config.server_optimizer), config.server_weight_decay
    optimizer = kind.build(config, config.server_learning_rate)
    return _L2(optimizer, decay) if decay and not kind.decoupled_decay else optimizer


def scheduled(config: ResolvedAlgorithm) -> Optimizer:
    """The finalizer's optimizer, its learning rate following the server schedule."""
    optimizer = build(config)
    plan = schedule.server(config)
    if plan.constant:
        return optimizer
    rate = config.server_learning_rate
    return tff.learning.optimizers.schedule_learning_rate(
        optimizer, lambda round_number: rate * plan.factor(round_number)
    )


def plain(config: ResolvedAlgorithm) -> Optimizer:
    """SGD with the server's learning rate and schedule (MimeLite and Mime use it)."""
    return scheduled(
        dataclasses.replace(
            config, server_optimizer="sgd", server_momentum=0.0, server_weight_decay=0.0
        )
    )


def build_finalizer(optimizer: Optimizer, weights_type: TffType) -> Process:
    """Applies the optimizer; one that is not finite or that nobody sent moves nothing."""
    return tff.learning.templates.build_apply_optimizer_finalizer(
        optimizer, weights_type, should_reject_update=_reject
    )


def _reject(state: State, update: Nested) -> Nested:
    squared = tf.add_n([tf.nn.l2_loss(leaf) for leaf in tf.nest.flatten(update)])
    non_finite = tf.logical_not(tf.math.is_finite(squared))
    empty = tf.equal(squared, 0.0)
    measurements = collections.OrderedDict(
        update_non_finite=tf.cast(non_finite, tf.int32), update_empty=tf.cast(empty, tf.int32)
    )
    return tf.logical_or(non_finite, empty), measurements


class _L2(tff.learning.optimizers.Optimizer):
    """Adds `decay * w` to the gradient, as PyTorch's `weight_decay` does (the papers' code)."""

    def __init__(self, inner: Optimizer, decay: float) -> None:
        self._inner = inner
        self._decay = decay

    def initialize(self, specs: Spec) -> State:
        return self._inner.initialize(specs)

    def next(self, state: State, weights: Weights, gradients: Nested) -> Nested:
        decayed = tf.nest.map_structure(lambda g, w: g + self._decay * w, gradients, weights)
        return self._inner.next(state, weights, decayed)

    def get_hparams(self, state: State) -> Nested:
        return self._inner.get_hparams(state)

    def set_hparams(self, state: State, hparams: Nested) -> Nested:
        return self._inner.set_hparams(state, hparams)
