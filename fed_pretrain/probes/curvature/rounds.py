"""The top Hessian eigenvalue along a run."""

from typing import Any

from fed_pretrain.probes.curvature import probe as curvature
from fed_pretrain.probes.curvature import sample
from fed_pretrain.probes.curvature.loss_curvature import curvature_computation
from fed_pretrain.probes.probe import Probe, ProbeContext, RoundObservation, Weights
from fed_pretrain.probes.round_log import RoundLog


class HessianOfRounds(Probe):
    """`top_eigenvalue` at the start and in the probed rounds; details in `probes/hessian.jsonl`.

    Every round looks at the same examples, those that analysis of the start looks at.
    """

    name = "hessian"

    def __init__(self, context: ProbeContext) -> None:
        self._context = context
        self._config = curvature.CurvatureConfig(seed=context.seed)
        self._log = RoundLog(context.folder / "hessian.jsonl")
        task = context.task
        index = task.dataset.index("train")
        self._drawn = sample.draw(index, self._config.examples, context.seed)
        batch = sample.micro_batch(task.reader("train"), self._drawn, task.kind != "text")
        self._batch = batch
        self._computation = curvature_computation(task, context.build_model, batch)

    def at_start(self, weights: Weights) -> dict[str, float]:
        return self._measure(0, weights)

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        return self._measure(observation.round_number, observation.after) if due else {}

    def forget_after(self, round_number: int) -> None:
        self._log.forget_after(round_number)

    def _measure(self, round_number: int, weights: Weights) -> dict[str, float]:
        context = self._context
        operator = curvature.operator_for(
            context.task,
            context.build_model,
            context.executor,
            weights,
            self._drawn,
            computation=self._computation,
            batch=self._batch,
        )
        content: dict[str, Any] = curvature.measure(operator, self._drawn, self._config)
        self._log.append({"round": round_number, **content})
        return {"top_eigenvalue": content["top"]["eigenvalues"][0]}
