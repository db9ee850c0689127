"""The least that the same work can cost: one `tf.function` over a client's stacked arrays.

Two clients in flight, one intra-op thread each; variables kept per thread; no TFF, no state, no
metrics, no padding. Sums stand in the order of TFF's, so that only kernels can round otherwise.
"""

import concurrent.futures
import queue
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from benchmarks.rounds import workload
from benchmarks.rounds.contestant import IN_FLIGHT, Contestant, Weights
from benchmarks.rounds.workload import BATCH, RATE, ROWS, STEPS


class Bound(Contestant):
    def __init__(self, model: str, cohort: int) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(IN_FLIGHT)
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(IN_FLIGHT):
            self._free.put(_local_training(workload.build_model(model)))
        self._data = [
            [
                part.reshape(STEPS, BATCH, *part.shape[1:])
                for part in workload.client_rows(model, client)
            ]
            for client in range(cohort)
        ]
        self._rows = tf.constant(float(ROWS * cohort))
        self._add = tf.function(
            lambda total, delta: [t + ROWS * d for t, d in zip(total, delta, strict=True)]
        )
        # The count is an argument: TensorFlow turns a division by a constant into a product, which
        # rounds otherwise than TFF's mean.
        self._apply = tf.function(
            lambda start, total, rows: [w - t / rows for w, t in zip(start, total, strict=True)]
        )

    def restart(self, weights: Weights) -> None:
        self._weights = [tf.constant(w) for w in weights]

    def round(self) -> None:
        total = [tf.zeros_like(w) for w in self._weights]
        for delta in self._pool.map(self._one, self._data):
            total = self._add(total, delta)
        self._weights = self._apply(self._weights, total, self._rows)

    def weights(self) -> Weights:
        return [w.numpy() for w in self._weights]

    def close(self) -> None:
        self._pool.shutdown()

    def _one(self, data: Any) -> Any:
        local = self._free.get()
        try:
            return local(self._weights, tf.constant(data[0]), tf.constant(data[1]))
        finally:
            self._free.put(local)


def _local_training(model: Any) -> Callable[..., Any]:
    variables = model.trainable_variables
    loss_of = tf.nn.sparse_softmax_cross_entropy_with_logits

    @tf.function(reduce_retracing=False)
    def local(weights: Any, x: Any, y: Any) -> Any:
        for variable, weight in zip(variables, weights, strict=True):
            variable.assign(weight)
        for step in tf.range(STEPS):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(loss_of(y[step], model(x[step], training=True)))
            for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
                _descend(variable, gradient)
        return [weight - variable for variable, weight in zip(variables, weights, strict=True)]

    return local


def _descend(variable: Any, gradient: Any) -> None:
    if isinstance(gradient, tf.IndexedSlices):
        variable.scatter_sub(tf.IndexedSlices(RATE * gradient.values, gradient.indices))
    else:
        variable.assign_sub(RATE * gradient)
