"""Runs beside their like, seed by seed."""

from collections.abc import Callable, Iterable

from fed_pretrain.reporting.results import Run
from fed_pretrain.reporting.statistics import Spread, spread


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
