"""The curvature operators of one model on one task, whole or by blocks."""

from collections.abc import Sequence
from typing import Any

import tensorflow_federated as tff

from fed_pretrain.executors.api import Executor
from fed_pretrain.probes.client_sums import BuildModel
from fed_pretrain.probes.curvature import products, sample
from fed_pretrain.probes.curvature.blocks import Block
from fed_pretrain.probes.curvature.loss_curvature import (
    CurvatureOperator,
    check_model,
    curvature_computation,
)
from fed_pretrain.probes.probe import Weights
from fed_pretrain.tasks.task import Task


class Operators:
    """Each computation is traced once, so that executors compile it once."""

    def __init__(self, task: Task, build_model: BuildModel, names: Sequence[str]) -> None:
        """`names` are those of the model's trainable tensors."""
        check_model(build_model())
        self.names = names
        self._task = task
        self._build_model = build_model
        self._computations: dict[tuple[str, tuple[int, ...]], tff.Computation] = {}

    def at(
        self,
        executor: Executor,
        weights: Weights,
        drawn: sample.Sample,
        block: Block,
        *,
        kind: str = "hessian",
        split: str = "train",
        micro_batch: int = 128,
    ) -> CurvatureOperator:
        """The operator at these weights over the drawn examples."""
        return CurvatureOperator(
            executor,
            self._computation(kind, block.positions),
            weights,
            sample.inputs(self._task.reader(split), drawn, micro_batch),
            block.positions,
        )

    def _computation(self, kind: str, positions: tuple[int, ...]) -> Any:
        key = (kind, positions)
        if key not in self._computations:
            self._computations[key] = curvature_computation(
                self._task, self._build_model, positions, products.BY_KIND[kind]
            )
        return self._computations[key]
