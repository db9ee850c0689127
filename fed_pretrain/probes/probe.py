"""What a probe is: columns of a round's row, and files made from snapshots when a run ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.executors.executor import Executor
from fed_pretrain.models.weights import Weights

Snapshots = Sequence[tuple[int, Callable[[], Weights]]]
"""Rounds in order, the last one of the run at the end, and how to read their weights."""


@dataclass(frozen=True)
class ProbeContext:
    """What every probe of a run may use. `names` are those of the trainable tensors."""

    task: Any
    build_model: Callable[[], Any]
    names: Sequence[str]
    executor: Executor
    seed: int
    folder: Path
    eval_split: str = "test"
    curvature: CurvatureConfig = field(default_factory=CurvatureConfig)


@dataclass(frozen=True)
class RoundObservation:
    """A finished round: weights before and after it, its clients, the aggregator's sums.

    `updates` does the clients' work again and yields each update with its weight; None in a round
    without clients.
    """

    round_number: int
    before: Weights
    after: Weights
    cohort: Sequence[str]
    alignment: Mapping[str, float] | None
    layer_alignment: Mapping[str, Mapping[str, float]]
    updates: Callable[[], Iterator[tuple[list[np.ndarray], float]]] | None = None


class Probe:
    """The base does nothing; a probe overrides what it measures.

    A probe that has a `file` gets snapshots of the weights when the run ends.
    """

    name: str = ""
    file: str = ""

    def at_start(self, weights: Weights) -> dict[str, float]:
        """Columns of round 0."""
        return {}

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        """Columns of a round; what costs a pass over data is measured only when `due`."""
        return {}

    def forget_after(self, round_number: int) -> None:
        """A resumed run does the rounds past this one again: drop what was written of them."""

    def at_end(self, snapshots: Snapshots) -> dict[str, Any]:
        """The content of the probe's file, made from the weights of the probed rounds."""
        return {}
