"""Alignment of client updates in a round, from the aggregator's sums alone.

With A = sum ||D_i||^2, M = sum ||D_i||, B = sum D_i, U = sum D_i / ||D_i|| over n clients, n_v of
them with a norm above epsilon (sums unweighted):

    gradient diversity    A / ||B||^2                          (Yin et al. 2017)
    mean pairwise cosine  (||U||^2 - n_v) / (n_v (n_v - 1))    = mean over pairs i < j
    consecutive cosine    <D^t, D^(t-1)> / (||D^t|| ||D^(t-1)||), D the weighted aggregate

An undefined value is NaN, never 0.
"""

import math
from collections.abc import Mapping

from fed_pretrain.probes.probe import Probe, ProbeContext, RoundObservation
from fed_pretrain.probes.round_log import RoundLog


def figures(sums: Mapping[str, float]) -> dict[str, float]:
    """The columns of one round (or one layer) from its sums."""
    clients = sums["clients"]
    mean_norm = _ratio(sums["sum_norm"], clients)
    mean_square = _ratio(sums["sum_squared_norm"], clients)
    norms = sums["aggregate_norm"] * sums["previous_aggregate_norm"]
    return {
        "gradient_diversity": _ratio(sums["sum_squared_norm"], sums["squared_norm_of_sum"]),
        "mean_pairwise_cosine": mean_pairwise_cosine(
            sums["squared_norm_of_unit_sum"], sums["valid"]
        ),
        "consecutive_cosine": _ratio(sums["aggregate_dot_previous"], norms),
        "mean_update_norm": mean_norm,
        "std_update_norm": math.sqrt(max(mean_square - mean_norm**2, 0.0)) if clients else math.nan,
        "max_update_norm": sums["max_norm"],
        "aggregate_norm": sums["aggregate_norm"],
    }


def mean_pairwise_cosine(squared_norm_of_unit_sum: float, valid: float) -> float:
    return _ratio(squared_norm_of_unit_sum - valid, valid * (valid - 1))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.nan


class Alignment(Probe):
    """Columns every round; `probes/alignment.jsonl` holds the layers when they are measured."""

    name = "alignment"

    def __init__(self, context: ProbeContext) -> None:
        self._log = RoundLog(context.folder / "alignment.jsonl")

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        if observation.alignment is None:
            return {}
        if observation.layer_alignment:
            layers = {name: figures(sums) for name, sums in observation.layer_alignment.items()}
            self._log.append({"round": observation.round_number, "layers": layers})
        return figures(observation.alignment)

    def forget_after(self, round_number: int) -> None:
        self._log.forget_after(round_number)
