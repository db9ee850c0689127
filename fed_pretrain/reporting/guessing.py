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

    examples: how many labels are evaluated. rows: of how many examples they are; 0 where that was
    not recorded. measured: False for runs that did not record this, where the
    random start's accuracy before training takes its place.
    """

    accuracy: float
    examples: int = _UNKNOWN_EXAMPLES
    measured: bool = True
    rows: int = 0

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
        labels, rows = (min(int(one.get(n, 0)) for one in told) for n in ("labels", "examples"))
        return Chance(commonest, labels, rows=rows)
    random_start = study.random_start(task)
    before = [run.first(FINAL) for run in study.select(task=task, start=random_start)]
    finite = [value for value in before if math.isfinite(value)]
    return Chance(float(np.mean(finite)) if finite else 0.0, measured=False)


def seeds_vary_examples(study: Study, task: str) -> bool:
    """Whether each seed is evaluated on examples of its own, so that intervals cover their draw."""
    seen: dict[object, set[object]] = {}
    for run in study.select(task=task):
        drawn = run.config.get("config", {}).get("evaluation", {}).get("eval_examples")
        own = (run.config.get("dataset_fingerprint"), run.seed if drawn else None)
        seen.setdefault(run.coordinates.get("partition"), set()).add(own)
    return any(len(kinds) > 1 for kinds in seen.values())


def medians(runs: Iterable[Run]) -> dict[int, float]:
    """By seed: the median over algorithms, so that one lucky algorithm is not the start."""
    by_seed: dict[int, list[float]] = {}
    for run in runs:
        by_seed.setdefault(run.seed, []).append(run.last(FINAL))
    return {seed: float(np.median(np.nan_to_num(values))) for seed, values in by_seed.items()}
