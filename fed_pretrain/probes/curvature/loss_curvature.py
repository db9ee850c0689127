"""Curvature of the pooled loss as an operator; every product is a sum over clients.

F(w) = (1 / n) sum over all scored positions of their loss: the products of summed losses are added
over micro-batches and clients and divided by n at the end, so no batch size changes a weight.
"""

import collections
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from data_prep.errors import UserError
from fed_pretrain.executors.api import ClientInput, Executor
from fed_pretrain.probes.client_sums import (
    Batch,
    BuildModel,
    Finding,
    Sums,
    Vector,
    client_sums,
)
from fed_pretrain.probes.curvature import products
from fed_pretrain.probes.curvature.flat_vectors import FlatVectors
from fed_pretrain.probes.curvature.operator import NotFinite
from fed_pretrain.probes.probe import Weights
from fed_pretrain.tasks.task import Task


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
    task: Task,
    build_model: BuildModel,
    positions: Sequence[int],
    product: products.Product = products.hessian,
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
