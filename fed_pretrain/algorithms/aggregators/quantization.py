"""Updates rounded at random to a few levels, between each tensor's least and largest entry.

The rounding is without bias and drawn by the client's key, a pure function of (seed, round,
client): it repeats on every executor, whatever the last bit of an update there.
"""

import collections

import tensorflow as tf
import tensorflow_federated as tff

from groundwork.untyped import Factory, Federated, Nested, Process, TffType

# Beyond every local step, whose keys for dropout are folded from the same key.
_PURPOSE = 2**31 - 1


class QuantizedFactory(tff.aggregators.WeightedAggregationFactory):
    """Takes {value, key} and gives the inner aggregator the value with its update rounded.

    With `scaled` the value is {delta, scale}, of which delta is the update.
    """

    def __init__(self, inner: Factory, bits: int, scaled: bool) -> None:
        self._inner = inner
        self._bits = bits
        self._scaled = scaled

    def create(self, value_type: TffType, weight_type: TffType) -> Process:
        inner = self._inner.create(value_type.value, weight_type)

        @tff.tensorflow.computation(value_type)
        def rounded(keyed: Nested) -> Nested:
            value, key = keyed["value"], keyed["key"]
            if not self._scaled:
                return quantized(value, key, self._bits)
            delta = quantized(value["delta"], key, self._bits)
            return collections.OrderedDict(delta=delta, scale=value["scale"])

        @tff.federated_computation(
            inner.initialize.type_signature.result,
            tff.FederatedType(value_type, tff.CLIENTS),
            tff.FederatedType(weight_type, tff.CLIENTS),
        )
        def next_fn(state: Federated, value: Federated, weight: Federated) -> Federated:
            return inner.next(state, tff.federated_map(rounded, value), weight)

        return tff.templates.AggregationProcess(inner.initialize, next_fn)


def quantized(update: Nested, key: tf.Tensor, bits: int) -> list[tf.Tensor]:
    key = tf.random.experimental.stateless_fold_in(key, _PURPOSE, alg="philox")
    return [
        _rounded(tensor, tf.random.experimental.stateless_fold_in(key, i, alg="philox"), bits)
        for i, tensor in enumerate(update)
    ]


def _rounded(tensor: tf.Tensor, key: tf.Tensor, bits: int) -> tf.Tensor:
    levels = float(2**bits - 1)
    low, high = tf.reduce_min(tensor), tf.reduce_max(tensor)
    step = (high - low) / levels
    position = tf.math.divide_no_nan(tensor - low, step)
    # Whole 32 bits: TensorFlow's floats of the same key differ between plain kernels and XLA's.
    drawn = tf.random.stateless_uniform(
        tf.shape(tensor), key, minval=None, maxval=None, dtype=tf.int32, alg="philox"
    )
    chance = tf.cast(tf.bitwise.right_shift(tf.bitcast(drawn, tf.uint32), 8), tf.float32) / 2**24
    return low + step * tf.minimum(tf.floor(position + chance), levels)
