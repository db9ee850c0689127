"""Secure aggregation, simulated: what its arithmetic does to a sum, without its cryptography.

Values are clipped to a bound, written as fixed-point integers and added modulo 2^48, which is what
masked inputs add up to. TFF's secure intrinsics have a body on its test backend only; these sums
run on every executor.
"""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.algorithm_config import SECURE_FRACTION, SECURE_MODULUS
from groundwork.untyped import Federated, Nested, Process, TffType

Rounding = Callable[[tf.Tensor], tf.Tensor]


class SecureSumFactory(tff.aggregators.UnweightedAggregationFactory):
    """`grows_nothing` rounds towards zero: a norm that was clipped for privacy stays clipped."""

    def __init__(self, bound: float, grows_nothing: bool = False) -> None:
        self._bound = bound
        self._rounded = tf.identity if grows_nothing else tf.round

    def create(self, value_type: TffType) -> Process:
        bound, rounded = self._bound, self._rounded

        @tff.tensorflow.computation(value_type)
        def encoded(value: Nested) -> Nested:
            return tf.nest.map_structure(lambda t: encode(t, bound, rounded), value)

        @tff.tensorflow.computation(value_type)
        def count_clipped(value: Nested) -> Nested:
            over = [tf.math.count_nonzero(tf.abs(t) > bound) for t in tf.nest.flatten(value)]
            return tf.add_n(over)

        @tff.tensorflow.computation(encoded.type_signature.result)
        def decoded(total: Nested) -> Nested:
            return tf.nest.map_structure(decode, total)

        @tff.federated_computation
        def initialize() -> Federated:
            return tff.federated_value((), tff.SERVER)

        @tff.federated_computation(
            initialize.type_signature.result, tff.FederatedType(value_type, tff.CLIENTS)
        )
        def next_fn(state: Federated, value: Federated) -> Federated:
            total = tff.federated_sum(tff.federated_map(encoded, value))
            clipped = tff.federated_sum(tff.federated_map(count_clipped, value))
            return tff.templates.MeasuredProcessOutput(
                state, tff.federated_map(decoded, total), clipped
            )

        return tff.templates.AggregationProcess(initialize, next_fn)


def encode(tensor: tf.Tensor, bound: float, rounded: Rounding = tf.round) -> tf.Tensor:
    clipped = tf.clip_by_value(tf.cast(tensor, tf.float64), -bound, bound)
    fixed = tf.cast(rounded(clipped * SECURE_FRACTION), tf.int64)  # the cast itself cuts off
    return tf.math.floormod(fixed, SECURE_MODULUS)


def decode(total: tf.Tensor) -> tf.Tensor:
    total = tf.math.floormod(total, SECURE_MODULUS)
    centred = tf.where(total >= SECURE_MODULUS // 2, total - SECURE_MODULUS, total)
    return tf.cast(tf.cast(centred, tf.float64) / SECURE_FRACTION, tf.float32)
