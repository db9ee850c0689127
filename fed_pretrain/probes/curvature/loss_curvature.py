"""The Hessian of the pooled loss as an operator; every product is a sum over clients.

F(w) = (1 / n) sum over all scored positions of their loss: the products of summed losses are added
over micro-batches and clients and divided by n at the end, so no batch size changes a weight.
The product is reverse over reverse: d/dw <dL/dw, v>, in inference mode (no dropout, frozen
statistics).
"""

import collections
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from data_prep.errors import UserError
from fed_pretrain.executors.api import ClientInput, Executor
from fed_pretrain.probes.probe import Weights
from fed_pretrain.tasks.payload import batch_at, num_steps, payload_of
from fed_pretrain.tasks.task import Task

BuildModel = Callable[[], tf.keras.Model]


class FlatVectors:
    """A model's trainable tensors as one float64 vector, and back."""

    def __init__(self, tensors: Sequence[np.ndarray]) -> None:
        self._shapes = [tensor.shape for tensor in tensors]
        self._ends = np.cumsum([tensor.size for tensor in tensors])

    @property
    def size(self) -> int:
        return int(self._ends[-1])

    def split(self, vector: np.ndarray) -> list[np.ndarray]:
        parts = np.split(vector.astype(np.float32), self._ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def join(self, tensors: Sequence[Any]) -> np.ndarray:
        return np.concatenate([np.asarray(t, np.float64).reshape(-1) for t in tensors])


class HessianOperator:
    """The Hessian at `weights` over the examples of `clients`; satisfies `operator.Operator`."""

    def __init__(
        self,
        executor: Executor,
        computation: tff.Computation,
        weights: Weights,
        clients: Sequence[ClientInput],
    ) -> None:
        self._executor = executor
        self._computation = computation
        self._weights = weights
        self._clients = clients
        self._flat = FlatVectors(weights.trainable)
        self.positions = 0.0
        self.loss = float("nan")

    @property
    def size(self) -> int:
        return self._flat.size

    def matvec(self, vector: np.ndarray) -> np.ndarray:
        value = collections.OrderedDict(
            weights=self._weights, vector=self._flat.split(np.asarray(vector))
        )
        sums = self._executor.sum_clients(self._computation, value, self._clients)
        self.positions = float(sums["count"])
        if self.positions == 0:
            raise UserError("--hessian_examples: no scored position in the drawn examples")
        self.loss = float(sums["loss_sum"]) / self.positions
        return self._flat.join(sums["product"]) / self.positions


def check_model(model: tf.keras.Model) -> None:
    """BatchNorm that normalises by its batch makes the loss no sum over examples: refused."""
    for layer in model.submodules:
        if isinstance(layer, tf.keras.layers.BatchNormalization) and layer.trainable:
            raise UserError(
                f"--probes=hessian: layer {layer.name!r} is a BatchNorm that trains on batch"
                " statistics; use --batch_norm=group_norm, or keep it with frozen statistics"
            )


def hessian_computation(task: Task, build_model: BuildModel, batch_size: int) -> tff.Computation:
    """`((weights, vector), client data) -> (product, loss_sum, count)`, sums over the client."""
    weights_type = tff.learning.models.weights_type_from_model(task.model_fn(build_model))
    value_type = tff.to_type(
        collections.OrderedDict(weights=weights_type, vector=weights_type.trainable)
    )
    data_type = tff.SequenceType(tff.types.tensorflow_to_type(task.payload_spec(batch_size)))

    @tff.tensorflow.computation(value_type, data_type)
    def product_of(value: Any, data: tf.data.Dataset) -> Any:
        payload = payload_of(data)
        model = build_model()

        @tf.function
        def run(value: Any, payload: Any) -> Any:
            _assign(model, value["weights"])
            return _summed(task, model, list(value["vector"]), payload)

        return run(value, payload)

    return product_of


def _assign(model: tf.keras.Model, weights: Any) -> None:
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    values = [*weights.trainable, *weights.non_trainable]
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _summed(task: Task, model: tf.keras.Model, vector: list[tf.Tensor], payload: Any) -> Any:
    variables = model.trainable_variables

    def products_at(step: tf.Tensor) -> tuple[Any, ...]:
        x, y = batch_at(payload, step)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                sums = task.statistics(y, model(x, training=False))
            gradients = inner.gradient(sums["loss_sum"], variables)
            slope = tf.add_n([tf.reduce_sum(g * v) for g, v in zip(gradients, vector, strict=True)])
        product = outer.gradient(slope, variables, unconnected_gradients="zero")
        return [tf.convert_to_tensor(p) for p in product], sums["loss_sum"], sums["count"]

    def body(step: tf.Tensor, totals: Any) -> tuple[tf.Tensor, Any]:
        return step + 1, tf.nest.map_structure(tf.add, totals, products_at(step))

    start = ([tf.zeros_like(v) for v in vector], tf.constant(0.0), tf.constant(0.0))
    _, (product, loss_sum, count) = tf.while_loop(
        lambda step, _: step < num_steps(payload), body, (tf.constant(0), start)
    )
    return collections.OrderedDict(product=product, loss_sum=loss_sum, count=count)
