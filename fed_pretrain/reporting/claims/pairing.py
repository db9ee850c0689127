"""Runs beside their like, seed by seed."""

from collections.abc import Iterable

from fed_pretrain.reporting.results import Run


def pairs(first: Iterable[Run], second: Iterable[Run], apart: str) -> list[tuple[Run, Run]]:
    """Runs at the same place of the grid but for the coordinate they are compared in."""

    def place(run: Run) -> frozenset[tuple[str, object]]:
        return frozenset((k, v) for k, v in run.coordinates.items() if k != apart)

    others = {place(run): run for run in second}
    return [(run, others[place(run)]) for run in first if place(run) in others]
