"""L2 distances of the server's trainable weights: to the start, and to the last round's weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fed_pretrain.models.weights import Weights
from fed_pretrain.probes.probe import Probe, RoundObservation, Snapshots


def distance(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    """||x - y|| over all tensors, accumulated in float64."""
    total = 0.0
    for one, other in zip(first, second, strict=True):
        difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
        total += float(np.vdot(difference, difference))
    return float(np.sqrt(total))


class Distances(Probe):
    """`distance_to_start` every round; `probes/distances.json` when the run has ended."""

    name = "distance"
    file = "distances"

    def __init__(self, start: Sequence[np.ndarray]) -> None:
        self._start = list(start)

    def at_start(self, weights: Weights) -> dict[str, float]:
        return {"distance_to_start": distance(weights.trainable, self._start)}

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        return {"distance_to_start": distance(observation.after.trainable, self._start)}

    def at_end(self, snapshots: Snapshots) -> dict[str, Any]:
        return series(snapshots, self._start)


def series(snapshots: Snapshots, start: Sequence[np.ndarray]) -> dict[str, Any]:
    """The distances of every snapshot to the start and to the last snapshot."""
    last_round, read_last = snapshots[-1]
    final = read_last().trainable
    rows = [(number, read().trainable) for number, read in snapshots]
    return {
        "rounds": [number for number, _ in rows],
        "to_start": [distance(weights, start) for _, weights in rows],
        "to_final": [distance(weights, final) for _, weights in rows],
        "unit": "Euclidean norm over all trainable weights",
        "final": f"weights after round {last_round}, the last one, not the best one",
    }
