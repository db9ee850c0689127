"""The top Hessian eigenvalue along a run."""

import functools
from typing import Any

from fed_pretrain.curvature import curvature_config, sample
from fed_pretrain.curvature.linear_operator import NotFinite
from fed_pretrain.curvature.loss_operators import Operators
from fed_pretrain.models.weights import Weights
from fed_pretrain.probes.curvature import probe
from fed_pretrain.probes.probe import Probe, ProbeContext, RoundObservation
from fed_pretrain.probes.round_log import RoundLog


class HessianOfRounds(Probe):
    """`top_eigenvalue` at the start and in the probed rounds; details in `probes/hessian.jsonl`.

    Every round looks at the same examples, those that analysis of the start looks at.
    """

    name = "hessian"

    def __init__(self, context: ProbeContext) -> None:
        self._executor = context.executor
        self._config = context.curvature
        self._seed = self._config.seed_in(context.seed)
        self._log = RoundLog(context.folder / "hessian.jsonl")
        index = context.task.dataset.index("train")
        self._drawn = sample.draw(index, self._config.number_of_examples, self._seed)
        self._operators = Operators(context.task, context.build_model, context.names)
        curvature_config.chosen(
            context.names, self._config.layers
        )  # a mistake is told before any round

    def at_start(self, weights: Weights) -> dict[str, float]:
        return self._measure(0, weights)

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        return self._measure(observation.round_number, observation.after) if due else {}

    def forget_after(self, round_number: int) -> None:
        self._log.forget_after(round_number)

    def _measure(self, round_number: int, weights: Weights) -> dict[str, float]:
        operator_of = functools.partial(
            self._operators.at,
            self._executor,
            weights,
            self._drawn,
            micro_batch=self._config.micro_batch,
        )
        try:
            content: dict[str, Any] = probe.measure(
                operator_of, self._operators.names, self._drawn, self._config, self._seed
            )
        except NotFinite as reason:
            self._log.append({"round": round_number, "top": None, "undefined": str(reason)})
            return {"top_eigenvalue": float("nan")}
        self._log.append({"round": round_number, **content})
        return {"top_eigenvalue": content["top"]["eigenvalues"][0]}
