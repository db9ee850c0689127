"""Alignment of client updates in a round, from the aggregator's sums alone.

With A = sum ||D_i||^2, M = sum ||D_i||, B = sum D_i, U = sum D_i / ||D_i|| over n clients, n_v of
them with a norm above epsilon (sums unweighted):

    gradient diversity    A / ||B||^2                          (Yin et al. 2017)
    mean pairwise cosine  (||U||^2 - n_v) / (n_v (n_v - 1))    = mean over pairs i < j
    consecutive cosine    <D^t, D^(t-1)> / (||D^t|| ||D^(t-1)||), D the weighted aggregate

An undefined value is NaN, never 0. After the fact the cosine between every two clients' updates is
measured, with the clients by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.probes.probe import Content, Probe, RoundLog, RoundObservation
from fed_pretrain.probes.subject import Subject
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Alignment(Probe):
    """Columns every round; `probes/alignment.jsonl` holds the layers when they are measured."""

    name = "alignment"
    help = "gradient diversity and the cosines between the updates of a cohort"
    in_rounds = True
    of_alignment = True

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._log = RoundLog(subject.folder / "alignment.jsonl")

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        if observation.alignment is None:
            return {}
        if observation.layer_alignment:
            layers = {name: figures(sums) for name, sums in observation.layer_alignment.items()}
            self._log.append({"round": observation.round_number, "layers": layers})
        return figures(observation.alignment)

    def forget_after(self, round_number: int) -> None:
        self._log.forget_after(round_number)

    def measure(self) -> Content:
        coming = self.subject.coming_round()
        content = matrix((update for update, _ in coming.updates()), coming.client_ids)
        return {**content, **coming.provenance()}

    @staticmethod
    def draw(content: Mapping[str, Json]) -> Figure:
        from fed_pretrain.probes import drawing

        title = f"cosine between clients' updates ({content['client_update']})"
        cosine, diversity = content["mean_pairwise_cosine"], content["gradient_diversity"]
        if cosine is not None and diversity is not None:
            title += f"\nmean {cosine:.3g}, gradient diversity {diversity:.3g}"
        made = drawing.heat_map(content["cosine"], content["clients"], title, -1.0)
        return drawing.marked(made, content)


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


def unit_rows(updates: Iterable[Sequence[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Updates as rows of length one (NaN for a zero update), and their norms."""
    rows, norms = [], []
    for update in updates:
        flat = np.concatenate([np.asarray(part, np.float64).reshape(-1) for part in update])
        norm = float(np.linalg.norm(flat))
        rows.append((flat / norm if norm > 0 else np.full_like(flat, np.nan)).astype(np.float32))
        norms.append(norm)
    return np.stack(rows), np.array(norms)


def matrix(updates: Iterable[Sequence[np.ndarray]], cohort: Sequence[str]) -> Content:
    """The content of alignment.json, without where the updates came from."""
    rows, norms = unit_rows(updates)
    cosines = (rows @ rows.T).astype(np.float64)
    pairs = cosines[np.triu_indices(len(rows), 1)]
    defined = pairs[np.isfinite(pairs)]
    total = np.nan_to_num(rows, nan=0.0).T.astype(np.float64) @ norms
    squared = float(total @ total)
    return {
        "clients": list(cohort),
        "cosine": [[_number(value) for value in row] for row in cosines],
        "norms": norms.tolist(),
        "mean_pairwise_cosine": _number(defined.mean()) if len(defined) else None,
        "gradient_diversity": float((norms**2).sum()) / squared if squared > 0 else None,
        "unit": "cosine of the angle between two clients' updates; norms are Euclidean",
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
