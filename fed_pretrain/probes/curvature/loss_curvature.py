"""Curvature of the pooled loss as an operator; every product is a sum over clients.

F(w) = (1 / n) sum over all scored positions of their loss: the products of summed losses are added
over micro-batches and clients and divided by n at the end, so no batch size changes a weight.
All is in inference mode (no dropout, frozen statistics). With J the Jacobian of the logits z:

    hessian       d/dw <dL/dw, v>                reverse over reverse
    gauss_newton  J' (d2L/dz2) J v               (Schraudolph 2002)
    fisher        J' r <r, J v>, r = dL/dz       the empirical Fisher, an outer product a position

J v is d/du <J' u, v>, so all of them need reverse mode only.
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


class CurvatureOperator:
    """The curvature at `weights` over the examples of `clients`; satisfies `operator.Operator`."""

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


def curvature_computation(
    task: Task, build_model: BuildModel, batch_size: int, kind: str = "hessian"
) -> tff.Computation:
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
            return _summed(task, model, list(value["vector"]), payload, PRODUCTS[kind])

        return run(value, payload)

    return product_of


def _assign(model: tf.keras.Model, weights: Any) -> None:
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    values = [*weights.trainable, *weights.non_trainable]
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _summed(
    task: Task, model: tf.keras.Model, vector: list[tf.Tensor], payload: Any, product_at: Any
) -> Any:
    def body(step: tf.Tensor, totals: Any) -> tuple[tf.Tensor, Any]:
        x, y = batch_at(payload, step)
        product, sums = product_at(task, model, vector, x, y)
        added = ([tf.convert_to_tensor(p) for p in product], sums["loss_sum"], sums["count"])
        return step + 1, tf.nest.map_structure(tf.add, totals, added)

    start = ([tf.zeros_like(v) for v in vector], tf.constant(0.0), tf.constant(0.0))
    _, (product, loss_sum, count) = tf.while_loop(
        lambda step, _: step < num_steps(payload), body, (tf.constant(0), start)
    )
    return collections.OrderedDict(product=product, loss_sum=loss_sum, count=count)


Product = tuple[list[tf.Tensor], Any]


def _hessian_product(
    task: Task, model: tf.keras.Model, vector: list[tf.Tensor], x: tf.Tensor, y: tf.Tensor
) -> Product:
    variables = model.trainable_variables
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            sums = task.statistics(y, model(x, training=False))
        gradients = inner.gradient(sums["loss_sum"], variables)
        slope = _inner_product(gradients, vector)
    return outer.gradient(slope, variables, unconnected_gradients="zero"), sums


def _gauss_newton_product(
    task: Task, model: tf.keras.Model, vector: list[tf.Tensor], x: tf.Tensor, y: tf.Tensor
) -> Product:
    logits, moved, pull = _linearised(model, vector, x)
    with tf.GradientTape() as outer:
        outer.watch(logits)
        with tf.GradientTape() as inner:
            inner.watch(logits)
            sums = task.statistics(y, logits)
        slope = tf.reduce_sum(inner.gradient(sums["loss_sum"], logits) * moved)
    return pull(outer.gradient(slope, logits)), sums


def _fisher_product(
    task: Task, model: tf.keras.Model, vector: list[tf.Tensor], x: tf.Tensor, y: tf.Tensor
) -> Product:
    logits, moved, pull = _linearised(model, vector, x)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        sums = task.statistics(y, logits)
    error = tape.gradient(sums["loss_sum"], logits)
    return pull(error * tf.reduce_sum(error * moved, axis=-1, keepdims=True)), sums


def _linearised(
    model: tf.keras.Model, vector: list[tf.Tensor], x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor]]]:
    """The logits z, J v, and the map u -> J' u."""
    variables = model.trainable_variables
    with tf.GradientTape(persistent=True) as forward:
        with tf.GradientTape(persistent=True) as backward:
            logits = model(x, training=False)
        cotangent = tf.zeros_like(logits)
        forward.watch(cotangent)
        pulled = backward.gradient(logits, variables, output_gradients=cotangent)
        slope = _inner_product(pulled, vector)
    moved = forward.gradient(slope, cotangent)

    def pull(direction: tf.Tensor) -> list[tf.Tensor]:
        found: list[tf.Tensor] = backward.gradient(
            logits, variables, output_gradients=direction, unconnected_gradients="zero"
        )
        return found

    return logits, moved, pull


def _inner_product(tensors: Sequence[Any], vector: Sequence[tf.Tensor]) -> tf.Tensor:
    pairs = zip(tensors, vector, strict=True)
    return tf.add_n([tf.reduce_sum(tf.convert_to_tensor(t) * v) for t, v in pairs])


PRODUCTS: dict[str, Any] = {
    "hessian": _hessian_product,
    "gauss_newton": _gauss_newton_product,
    "fisher": _fisher_product,
}
