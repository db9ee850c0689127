"""LAMB (You et al. 2020): Adam's direction, its length a share of each layer's norm."""

import collections

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.values import single
from groundwork.untyped import Nested, Spec, State, Weights


class Lamb(tff.learning.optimizers.Optimizer):
    def __init__(
        self, learning_rate: float, beta1: float, beta2: float, epsilon: float, decay: float
    ) -> None:
        self._learning_rate = learning_rate
        self._beta1, self._beta2 = beta1, beta2
        self._epsilon, self._decay = epsilon, decay

    def initialize(self, specs: Spec) -> State:
        def zeros() -> Nested:
            return tf.nest.map_structure(lambda s: tf.zeros(s.shape, s.dtype), specs)

        return collections.OrderedDict(
            learning_rate=single(self._learning_rate),
            step=tf.constant(0),
            first=zeros(),
            second=zeros(),
        )

    def next(self, state: State, weights: Weights, gradients: Nested) -> Nested:
        step = state["step"] + 1
        t = tf.cast(step, tf.float32)
        b1, b2 = single(self._beta1), single(self._beta2)
        rest1, rest2 = single(1.0 - self._beta1), single(1.0 - self._beta2)
        first = tf.nest.map_structure(lambda m, g: b1 * m + rest1 * g, state["first"], gradients)
        second = tf.nest.map_structure(
            lambda v, g: b2 * v + rest2 * g * g, state["second"], gradients
        )
        rate = tf.cast(state["learning_rate"], tf.float32)

        def moved(w: tf.Tensor, m: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
            root = tf.sqrt(v / (1.0 - tf.pow(b2, t))) + single(self._epsilon)
            direction = m / (1.0 - tf.pow(b1, t)) / root + single(self._decay) * w
            norms = tf.norm(w), tf.norm(direction)
            defined = tf.minimum(*norms) > 0.0
            ratio = tf.where(defined, tf.math.divide_no_nan(*norms), 1.0)
            return w - rate * ratio * direction

        new = collections.OrderedDict(
            learning_rate=state["learning_rate"], step=step, first=first, second=second
        )
        return new, tf.nest.map_structure(moved, weights, first, second)
