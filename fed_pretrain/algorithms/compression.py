"""Uniform quantization of updates with stochastic rounding (Suresh et al. 2017), inside the sum.

Each tensor is sent as its range and `bits` a value. TFF's encoder draws its rounding from a
generator without a key; here it is a pure function of (seed, round, the update itself), so that a
run repeats. The sum is of the decoded values: what a server would have.
"""

import collections
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from data_prep import randomness


class QuantizedSumFactory(tff.aggregators.UnweightedAggregationFactory):
    def __init__(self, inner: Any, bits: int, seed: int) -> None:
        self._inner = inner
        self._levels = float(2**bits - 1)
        self._key = randomness.stateless_seed(seed, "quantization")

    def create(self, value_type: Any) -> Any:
        inner = self._inner.create(value_type)

        @tff.tensorflow.computation
        def first_round() -> Any:
            return tf.constant(0)

        @tff.tensorflow.computation(value_type, first_round.type_signature.result)
        def quantized(value: Any, round_number: Any) -> Any:
            fold = tf.random.experimental.stateless_fold_in
            key = fold(tf.constant(self._key), round_number, alg="philox")
            return [self._quantize(t, fold(key, i, alg="philox")) for i, t in enumerate(value)]

        @tff.tensorflow.computation(first_round.type_signature.result)
        def following(round_number: Any) -> Any:
            return round_number + 1

        @tff.federated_computation
        def initialize() -> Any:
            return tff.federated_zip(
                collections.OrderedDict(
                    inner=inner.initialize(), round=tff.federated_eval(first_round, tff.SERVER)
                )
            )

        @tff.federated_computation(
            initialize.type_signature.result, tff.FederatedType(value_type, tff.CLIENTS)
        )
        def next_fn(state: Any, value: Any) -> Any:
            told = tff.federated_broadcast(state["round"])
            output = inner.next(state["inner"], tff.federated_map(quantized, (value, told)))
            return tff.templates.MeasuredProcessOutput(
                tff.federated_zip(
                    collections.OrderedDict(
                        inner=output.state, round=tff.federated_map(following, state["round"])
                    )
                ),
                output.result,
                output.measurements,
            )

        return tff.templates.AggregationProcess(initialize, next_fn)

    def _quantize(self, tensor: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        own = tf.bitcast(tf.nn.l2_loss(tensor), tf.int32)
        key = tf.random.experimental.stateless_fold_in(key, own, alg="philox")
        low, high = tf.reduce_min(tensor), tf.reduce_max(tensor)
        step = (high - low) / self._levels
        position = tf.math.divide_no_nan(tensor - low, step)
        chance = tf.random.stateless_uniform(tf.shape(tensor), key, alg="philox")
        return low + step * tf.minimum(tf.floor(position + chance), self._levels)
