"""Uniform quantization of updates with stochastic rounding (Suresh et al. 2017), inside the sum.

Each tensor is sent as its range and `bits` a value. The rounding is a pure function of (seed,
round, the update itself), so that a run repeats. The sum is of the decoded values: what a server
would have.
"""

from typing import Any

import tensorflow as tf

from data_prep import randomness
from fed_pretrain.algorithms.keyed_sum import KeyedSumFactory


def quantized_sum(inner: Any, bits: int, seed: int) -> KeyedSumFactory:
    levels = float(2**bits - 1)

    def quantized(tensor: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        own = tf.bitcast(tf.nn.l2_loss(tensor), tf.int32)
        key = tf.random.experimental.stateless_fold_in(key, own, alg="philox")
        low, high = tf.reduce_min(tensor), tf.reduce_max(tensor)
        step = (high - low) / levels
        position = tf.math.divide_no_nan(tensor - low, step)
        chance = tf.random.stateless_uniform(tf.shape(tensor), key, alg="philox")
        return low + step * tf.minimum(tf.floor(position + chance), levels)

    key = randomness.stateless_seed(seed, "quantization")
    return KeyedSumFactory(inner, key, at_clients=quantized)
