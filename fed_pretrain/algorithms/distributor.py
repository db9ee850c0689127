"""What goes down to the clients: the model, and for late arrivals the models before it."""

import collections
import functools

import tensorflow as tf
import tensorflow_federated as tff

from groundwork.untyped import Federated, Nested, Process, State, TffType


def build(weights_type: TffType, late_rounds: int) -> Process:
    """TFF's own broadcast, or one that keeps the last models in its state."""
    if not late_rounds:
        return tff.learning.templates.build_broadcast_process(weights_type)
    trainable = weights_type.trainable

    @tff.tensorflow.computation
    def none_yet() -> Nested:
        return [[tf.zeros(t.shape, t.dtype) for t in trainable] for _ in range(late_rounds)]

    past_type = none_yet.type_signature.result

    @tff.tensorflow.computation(past_type, weights_type)
    def remember(past: Nested, weights: Nested) -> Nested:
        return [list(weights.trainable), *past[:-1]]

    @tff.federated_computation
    def initialize() -> Federated:
        return tff.federated_eval(none_yet, tff.SERVER)

    @tff.federated_computation(
        initialize.type_signature.result, tff.FederatedType(weights_type, tff.SERVER)
    )
    def next_fn(past: Federated, weights: Federated) -> Federated:
        told = tff.federated_zip(collections.OrderedDict(now=weights, past=past))
        return tff.templates.MeasuredProcessOutput(
            tff.federated_map(remember, (past, weights)),
            tff.federated_broadcast(told),
            tff.federated_value((), tff.SERVER),
        )

    return tff.learning.templates.DistributionProcess(initialize, next_fn)


def of_round(told: State, lag: tf.Tensor) -> Nested:
    """The weights a client began with, `lag` rounds ago."""
    now, past = told["now"], told["past"]
    choices = [list(now.trainable), *(list(old) for old in past)]
    branches = [functools.partial(tf.nest.map_structure, tf.identity, c) for c in choices]
    return tff.learning.models.ModelWeights(
        list(tf.switch_case(lag, branches)), list(now.non_trainable)
    )
