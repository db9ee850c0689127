"""Runs beside their like: what the statistics of the claims are made of, seed by seed."""

import math
from collections.abc import Callable, Iterable

from fed_pretrain.reporting.captions import subjects
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.statistics import Spread, spread


def seeds(study: Study, **wanted: object) -> list[int]:
    return sorted(study.values("seed", **wanted))


def pairs(first: Iterable[Run], second: Iterable[Run], apart: str) -> list[tuple[Run, Run]]:
    """Runs at the same place of the grid but for the coordinate they are compared in."""

    def place(run: Run) -> frozenset[tuple[str, object]]:
        return frozenset((k, v) for k, v in run.coordinates.items() if k != apart)

    others = {place(run): run for run in second}
    return [(run, others[place(run)]) for run in first if place(run) in others]


def paired_difference(
    first: Iterable[Run], second: Iterable[Run], apart: str, value: Callable[[Run], float]
) -> Spread:
    """A value of the first runs minus the second ones', over seeds."""
    by_seed: dict[object, list[float]] = {}
    for one, other in pairs(first, second, apart):
        by_seed.setdefault(one.coordinates["seed"], []).append(value(one) - value(other))
    return spread([spread(values).mean for values in by_seed.values()])


def gains(
    study: Study, task: str, both: tuple[str, str], value: Callable[[Run], float]
) -> list[float]:
    """By seed: the pre-trained runs' value minus the random ones', each beside its like."""
    found = []
    for seed in seeds(study, task=task):
        random, pretrained = (subjects(study, task, start=start, seed=seed) for start in both)
        gain = paired_difference(pretrained, random, "start", value).mean
        if not math.isnan(gain):
            found.append(gain)
    return found


def accuracies(study: Study, task: str, start: str, seed: int) -> dict[str, float]:
    runs = subjects(study, task, start=start, seed=seed)
    by_algorithm: dict[str, list[float]] = {}
    for run in runs:
        by_algorithm.setdefault(run.algorithm, []).append(run.last(FINAL))
    return {name: spread(values).mean for name, values in by_algorithm.items()}


def _best(runs: Iterable[Run]) -> float:
    finals = [run.last(FINAL) for run in runs]
    return max((final for final in finals if math.isfinite(final)), default=math.nan)


def difference_of_best(
    study: Study, task: str, start: str, first: Callable[[Run], bool], other: Callable[[Run], bool]
) -> list[float]:
    """The best accuracy of one kind of run minus the best of the other, seed by seed."""
    values = []
    for seed in seeds(study, task=task):
        runs = subjects(study, task, start=start, seed=seed)
        values.append(_best(filter(first, runs)) - _best(filter(other, runs)))
    return [value for value in values if not math.isnan(value)]


def first(column: str) -> Callable[[Run], float]:
    return lambda run: run.first(column)
