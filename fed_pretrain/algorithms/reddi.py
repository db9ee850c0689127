"""FedAdagrad, FedYogi and FedAdam as printed (Reddi et al. 2021, arXiv 2003.00295, Algorithm 2).

m <- beta1 m + (1 - beta1) g; x <- x - eta m / (sqrt(v) + tau), with v_0 = tau^2 and no bias
correction. v <- v + g^2 (Adagrad), v - (1 - beta2) sign(v - g^2) g^2 (Yogi) or
beta2 v + (1 - beta2) g^2 (Adam). g is the aggregated update, received minus trained.
"""

import collections
from collections.abc import Callable

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.values import single
from groundwork.untyped import Nested, Spec, State, Weights

Second = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""The next second moment, of the last one and the squared update."""


def adagrad(v: tf.Tensor, square: tf.Tensor) -> tf.Tensor:
    return v + square


def yogi(beta2: float) -> Second:
    rest = 1.0 - beta2
    return lambda v, square: v - single(rest) * tf.sign(v - square) * square


def adam(beta2: float) -> Second:
    return lambda v, square: single(beta2) * v + single(1.0 - beta2) * square


class Adaptive(tff.learning.optimizers.Optimizer):
    def __init__(self, learning_rate: float, beta1: float, tau: float, second: Second) -> None:
        self._learning_rate, self._beta1 = learning_rate, beta1
        self._tau, self._second = tau, second

    def initialize(self, specs: Spec) -> State:
        def filled(value: float) -> Nested:
            return tf.nest.map_structure(lambda s: tf.fill(s.shape, tf.cast(value, s.dtype)), specs)

        return collections.OrderedDict(
            learning_rate=single(self._learning_rate),
            first=filled(0.0),
            second=filled(self._tau**2),
        )

    def next(self, state: State, weights: Weights, gradients: Nested) -> Nested:
        rate, tau = tf.cast(state["learning_rate"], tf.float32), single(self._tau)
        beta1, rest = single(self._beta1), single(1.0 - self._beta1)
        first = tf.nest.map_structure(lambda m, g: beta1 * m + rest * g, state["first"], gradients)
        second = tf.nest.map_structure(
            lambda v, g: self._second(v, g * g), state["second"], gradients
        )
        moved = tf.nest.map_structure(
            lambda w, m, v: w - rate * m / (tf.sqrt(v) + tau), weights, first, second
        )
        new = collections.OrderedDict(
            learning_rate=state["learning_rate"], first=first, second=second
        )
        return new, moved
