"""The accuracy that needs no training, and whether a start has left it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fed_pretrain.reporting.results import FINAL, Run, Study

# Trained is a tenth of the way from chance to one.
_SHARE = 0.1
_UNKNOWN_EXAMPLES = 1000


@dataclass(frozen=True)
class Chance:
    """accuracy: of always giving the commonest class or token of the evaluated examples.

    examples: how many are evaluated. measured: False for runs that did not record this, where the
    random start's accuracy before training takes its place.
    """

    accuracy: float
    examples: int = _UNKNOWN_EXAMPLES
    measured: bool = True

    @property
    def line(self) -> float:
        """A run that ends above it has been trained."""
        return self.accuracy + _SHARE * (1 - self.accuracy)

    @property
    def floor(self) -> float:
        """The least deviation of a difference of two accuracies: that of two rounding errors."""
        return 1 / (self.examples * math.sqrt(6))


def of_task(study: Study, task: str) -> Chance:
    told = [run.evaluated for run in study.all_runs if run.task == task and run.evaluated]
    if told:
        commonest = max(float(one["commonest_share"]) for one in told)
        return Chance(commonest, min(int(one["labels"]) for one in told))
    random_start = study.random_start(task)
    before = [run.first(FINAL) for run in study.select(task=task, start=random_start)]
    finite = [value for value in before if math.isfinite(value)]
    return Chance(float(np.mean(finite)) if finite else 0.0, measured=False)


def medians(runs: Iterable[Run]) -> dict[int, float]:
    """By seed: the median over algorithms, so that one lucky algorithm is not the start."""
    by_seed: dict[int, list[float]] = {}
    for run in runs:
        by_seed.setdefault(run.seed, []).append(run.last(FINAL))
    return {seed: float(np.median(np.nan_to_num(values))) for seed, values in by_seed.items()}
