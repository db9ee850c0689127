"""What every server optimizer gets: L2 decay, a schedule and a guard for empty rounds."""

import collections
import dataclasses
from collections.abc import Callable

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import known_server_optimizers, schedule
from fed_pretrain.algorithms.algorithm_config import SETTINGS, ResolvedAlgorithm
from fed_pretrain.algorithms.values import Numbers, in_state, named, single, with_numbers
from groundwork.untyped import Nested, Optimizer, Process, Spec, State, TffType, Weights


def build(config: ResolvedAlgorithm, follows_schedule: bool = False) -> Optimizer:
    """The optimizer the config names; its numbers are in its state."""
    kind = known_server_optimizers.named(config.server_optimizer)
    decays = bool(config.server_weight_decay) and not kind.decoupled_decay
    scheduled = follows_schedule and not schedule.server(config).constant

    def of(numbers: Numbers) -> Optimizer:
        optimizer = kind.build(config, config.server_learning_rate)
        if kind.takes_tensors:
            optimizer = kind.build(with_numbers(config, numbers), numbers["server_learning_rate"])
        if decays:
            optimizer = _L2(optimizer, numbers["server_weight_decay"])
        return _scheduled(optimizer, config, numbers) if scheduled else optimizer

    if kind.takes_tensors or decays or scheduled:
        return _OfItsState(of, config)
    return of(config.values())


def scheduled(config: ResolvedAlgorithm) -> Optimizer:
    """The finalizer's optimizer, its learning rate following the server schedule."""
    return build(config, follows_schedule=True)


def _scheduled(optimizer: Optimizer, config: ResolvedAlgorithm, numbers: Numbers) -> Optimizer:
    plan, rate = schedule.server(config, numbers), single(numbers["server_learning_rate"])
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
    """Applies the optimizer; one that is not finite or that nobody sent moves nothing.

    An optimizer of the user's may say `if` of a tensor, which needs AutoGraph (see tracing.py).
    """

    def of(optimizer: Optimizer) -> Process:
        return tff.learning.templates.build_apply_optimizer_finalizer(
            optimizer, weights_type, should_reject_update=_reject
        )

    try:
        return of(_Unconverted(optimizer))
    except tf.errors.OperatorNotAllowedInGraphError:
        return of(optimizer)


@tf.autograph.experimental.do_not_convert
def _reject(state: State, update: Nested) -> Nested:
    squared = tf.add_n([tf.nn.l2_loss(leaf) for leaf in tf.nest.flatten(update)])
    non_finite = tf.logical_not(tf.math.is_finite(squared))
    empty = tf.equal(squared, 0.0)
    measurements = collections.OrderedDict(
        update_non_finite=tf.cast(non_finite, tf.int32), update_empty=tf.cast(empty, tf.int32)
    )
    return tf.logical_or(non_finite, empty), measurements


class _Unconverted(tff.learning.optimizers.Optimizer):
    """The same optimizer, traced without AutoGraph."""

    def __init__(self, inner: Optimizer) -> None:
        self._inner = inner

    def initialize(self, specs: Spec) -> State:
        return self._inner.initialize(specs)

    @tf.autograph.experimental.do_not_convert
    def next(self, state: State, weights: Weights, gradients: Nested) -> Nested:
        return self._inner.next(state, weights, gradients)

    def get_hparams(self, state: State) -> Nested:
        return self._inner.get_hparams(state)

    def set_hparams(self, state: State, hparams: Nested) -> Nested:
        return self._inner.set_hparams(state, hparams)


class _OfItsState(tff.learning.optimizers.Optimizer):
    """An optimizer made in each step, of the numbers that its state holds."""

    def __init__(self, of: Callable[[Numbers], Optimizer], config: ResolvedAlgorithm) -> None:
        self._of = of
        self._config = config

    def initialize(self, specs: Spec) -> State:
        state = self._of(self._config.values()).initialize(specs)
        return collections.OrderedDict([*state.items(), (SETTINGS, in_state(self._config))])

    def next(self, state: State, weights: Weights, gradients: Nested) -> Nested:
        optimizer, own, settings = self._parted(state)
        new, moved = optimizer.next(own, weights, gradients)
        return collections.OrderedDict([*new.items(), (SETTINGS, settings)]), moved

    def get_hparams(self, state: State) -> Nested:
        optimizer, own, _ = self._parted(state)
        return optimizer.get_hparams(own)

    def set_hparams(self, state: State, hparams: Nested) -> State:
        optimizer, own, settings = self._parted(state)
        new = optimizer.set_hparams(own, hparams)
        return collections.OrderedDict([*new.items(), (SETTINGS, settings)])

    def _parted(self, state: State) -> tuple[Optimizer, State, tf.Tensor]:
        own = collections.OrderedDict(state)
        settings = own.pop(SETTINGS)
        return self._of(named(settings)), own, settings


class _L2(tff.learning.optimizers.Optimizer):
    """Adds `decay * w` to the gradient, as PyTorch's `weight_decay` does (the papers' code)."""

    def __init__(self, inner: Optimizer, decay: float | tf.Tensor) -> None:
        self._inner = inner
        self._decay = decay

    def initialize(self, specs: Spec) -> State:
        return self._inner.initialize(specs)

    def next(self, state: State, weights: Weights, gradients: Nested) -> Nested:
        decay = single(self._decay)
        decayed = tf.nest.map_structure(lambda g, w: g + decay * w, gradients, weights)
        return self._inner.next(state, weights, decayed)

    def get_hparams(self, state: State) -> Nested:
        return self._inner.get_hparams(state)

    def set_hparams(self, state: State, hparams: Nested) -> Nested:
        return self._inner.set_hparams(state, hparams)
