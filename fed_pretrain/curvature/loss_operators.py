"""Products of a batch's summed curvature with a vector, by automatic differentiation.

With J the Jacobian of the logits z by the variables, L the summed loss and v the vector:

    hessian       d/dw <dL/dw, v>                reverse over reverse
    gauss_newton  J' (d2L/dz2) J v               (Schraudolph 2002)
    fisher        J' r <r, J v>, r = dL/dz       the empirical Fisher, an outer product a position

J v is d/du <J' u, v>, so all of them need reverse mode only. Forward over reverse gives the same
Hessian product and took a tenth more time on the EMNIST CNN. Where the batch's variables are some
of the model's, the product is that block's.
"""

import collections
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.clients.client_reader import ClientReader
from fed_pretrain.curvature import sample
from fed_pretrain.curvature.curvature_config import Block
from fed_pretrain.curvature.linear_operator import NotFinite
from fed_pretrain.executors.executor import ClientInput, Executor
from fed_pretrain.models.weights import FlatVectors, Weights
from fed_pretrain.tasks.client_sums import Batch, BuildModel, Finding, Sums, Vector, client_sums
from fed_pretrain.tasks.task import Task
from groundwork.errors import UserError
from groundwork.untyped import Computation, Leaf

Tensors = list[tf.Tensor]
Found = tuple[Tensors, Mapping[str, tf.Tensor]]
"""The product with the batch's vector, and the task's statistics; sums over the batch."""
Product = Callable[[Batch], Found]


def hessian(batch: Batch) -> Found:
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            sums = batch.statistics(batch.logits())
        gradients = inner.gradient(sums["loss_sum"], batch.variables, unconnected_gradients="zero")
        slope = inner_product(gradients, batch.vector)
    return outer.gradient(slope, batch.variables, unconnected_gradients="zero"), sums


def gauss_newton(batch: Batch) -> Found:
    logits, moved, pull = _linearised(batch)
    with tf.GradientTape() as outer:
        outer.watch(logits)
        with tf.GradientTape() as inner:
            inner.watch(logits)
            sums = batch.statistics(logits)
        slope = tf.reduce_sum(inner.gradient(sums["loss_sum"], logits) * moved)
    return pull(outer.gradient(slope, logits)), sums


def fisher(batch: Batch) -> Found:
    logits, moved, pull = _linearised(batch)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        sums = batch.statistics(logits)
    error = tape.gradient(sums["loss_sum"], logits)
    return pull(error * tf.reduce_sum(error * moved, axis=-1, keepdims=True)), sums


BY_KIND: dict[str, Product] = {"hessian": hessian, "gauss_newton": gauss_newton, "fisher": fisher}


def _linearised(batch: Batch) -> tuple[tf.Tensor, tf.Tensor, Callable[[tf.Tensor], Tensors]]:
    """The logits z, J v, and the map u -> J' u."""
    variables = batch.variables
    with tf.GradientTape(persistent=True) as forward:
        with tf.GradientTape(persistent=True) as backward:
            logits = batch.logits()
        cotangent = tf.zeros_like(logits)
        forward.watch(cotangent)
        pulled = backward.gradient(
            logits, variables, output_gradients=cotangent, unconnected_gradients="zero"
        )
        slope = inner_product(pulled, batch.vector)
    moved = forward.gradient(slope, cotangent)

    def pull(direction: tf.Tensor) -> Tensors:
        found: Tensors = backward.gradient(
            logits, variables, output_gradients=direction, unconnected_gradients="zero"
        )
        return found

    return logits, moved, pull


def inner_product(tensors: Sequence[Leaf], vector: Sequence[tf.Tensor]) -> tf.Tensor:
    """Over all tensors together; an embedding's sparse gradient counts as the whole one."""
    pairs = zip(tensors, vector, strict=True)
    return tf.add_n([tf.reduce_sum(tf.convert_to_tensor(t) * v) for t, v in pairs])


class CurvatureOperator:
    """The curvature at `weights` over the examples of `clients`; satisfies `operator.Operator`.

    `positions` are those of the tensors that `computation` differentiates by, the operator's block.
    """

    def __init__(
        self,
        executor: Executor,
        computation: tff.Computation,
        weights: Weights,
        clients: Sequence[ClientInput],
        positions: Sequence[int],
    ) -> None:
        self._executor = executor
        self._computation = computation
        self._weights = weights
        self._clients = clients
        self._flat = FlatVectors([weights.trainable[position] for position in positions])
        self.scored = 0.0
        self.loss = float("nan")

    @property
    def size(self) -> int:
        return self._flat.size

    def matvec(self, vector: np.ndarray) -> np.ndarray:
        value = collections.OrderedDict(
            weights=self._weights, vector=self._flat.split(np.asarray(vector))
        )
        sums = self._executor.sum_clients(self._computation, value, self._clients)
        self.scored = float(sums["count"])
        if self.scored == 0:
            raise UserError("--hessian_examples: no scored position in the drawn examples")
        self.loss = float(sums["loss_sum"]) / self.scored
        product = self._flat.join(sums["product"]) / self.scored
        if not np.isfinite(product).all():
            raise NotFinite(f"the loss of these weights is {self.loss}, its curvature not finite")
        return product


def check_model(model: tf.keras.Model) -> None:
    """BatchNorm that normalises by its batch makes the loss no sum over examples: refused."""
    for layer in model.submodules:
        if isinstance(layer, tf.keras.layers.BatchNormalization) and layer.trainable:
            raise UserError(
                f"--probes=hessian: layer {layer.name!r} is a BatchNorm that trains on batch"
                " statistics; use --batch_norm=group_norm, or keep it with frozen statistics"
            )


def curvature_computation(
    task: Task, build_model: BuildModel, positions: Sequence[int], product: Product = hessian
) -> tff.Computation:
    """`((weights, vector), client data) -> (product, loss_sum, count)`, sums over the client.

    The vector holds the trainable tensors at `positions`, and the product is of their block.
    """

    def found(batch: Batch) -> Sums:
        tensors, sums = product(batch)
        return _sums([tf.convert_to_tensor(t) for t in tensors], sums["loss_sum"], sums["count"])

    def zeros(vector: Vector) -> Sums:
        return _sums([tf.zeros_like(v) for v in vector], tf.constant(0.0), tf.constant(0.0))

    return client_sums(task, build_model, Finding(found, zeros), positions)


def _sums(product: list[tf.Tensor], loss_sum: tf.Tensor, count: tf.Tensor) -> Sums:
    return collections.OrderedDict(product=product, loss_sum=loss_sum, count=count)


class Operators:
    """Each computation is traced once, so that executors compile it once for all such tasks."""

    def __init__(self, task: Task, build_model: BuildModel, names: Sequence[str]) -> None:
        """`names` are those of the model's trainable tensors."""
        check_model(build_model())
        self.names = names
        self._task = task
        self._build_model = build_model
        self._computations: dict[tuple[str, tuple[int, ...]], tff.Computation] = {}

    def at(
        self,
        reader: ClientReader,
        executor: Executor,
        weights: Weights,
        drawn: sample.Sample,
        block: Block,
        *,
        kind: str = "hessian",
        micro_batch: int = 128,
    ) -> CurvatureOperator:
        """The operator at these weights over the drawn examples."""
        return CurvatureOperator(
            executor,
            self._computation(kind, block.positions),
            weights,
            sample.pooled(reader, drawn, micro_batch),
            block.positions,
        )

    def _computation(self, kind: str, positions: tuple[int, ...]) -> Computation:
        key = (kind, positions)
        if key not in self._computations:
            self._computations[key] = curvature_computation(
                self._task, self._build_model, positions, BY_KIND[kind]
            )
        return self._computations[key]
