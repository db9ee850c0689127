"""What is measured against a swept axis: local steps, unequal work, and what a plan may name."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fed_pretrain.reporting import captions, style
from fed_pretrain.reporting.captions import setting
from fed_pretrain.reporting.claims.pairing import paired_difference
from fed_pretrain.reporting.part import NamedFigure, Section, Table
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.statistics import Spread, spread


@dataclass(frozen=True)
class _Measure:
    """What is shown against a swept axis: the last value of a column, or its mean over rounds."""

    column: str
    title: str
    last: bool = False

    def of(self, run: Run) -> float:
        if self.last:
            return run.last(self.column)
        values = run.series(self.column)[1]
        return sum(values) / len(values) if values else math.nan

    def over(self, runs: Sequence[Run]) -> Spread:
        return spread([self.of(run) for run in runs])


_MEASURES = (
    _Measure(FINAL, "final accuracy", last=True),
    _Measure("relative_drift", "relative client drift"),
    _Measure("aggregation_gain", "accuracy gained by averaging"),
)
_DRIFT = (
    "Relative client drift is the spread of the clients' updates around their mean as a share of"
    " their size, 0 when all are equal and 1 when they cancel out; the gain of averaging is the"
    " averaged model's accuracy minus the mean over the local models it averages. Both are means"
    " over the probed rounds."
)


def sweep_section(study: Study) -> Section | None:
    """A figure a task, algorithm and swept axis: what is measured against the axis, by start."""
    figures, tables = [], []
    for task in study.tasks:
        for axis in study.plan.get("sweep", {}):
            for algorithm in study.values("algorithm", task=task):
                sweep = _Sweep(study, task, axis, algorithm)
                figures.append(sweep.figure())
                tables += [sweep.table(measure) for measure in sweep.measures]
    if not figures:
        return None
    axes = ", ".join(name.replace("_", " ") for name in study.plan["sweep"])
    text = [
        f"Accuracy after the last round against {axes}; equal rounds for every point. Mean ± sample"
        " standard deviation over seeds; the last column is paired by seed.",
        *([_DRIFT] if len(tables) > len(figures) else []),
        *captions.notes(study, study.tasks),
    ]
    return Section("sweep", f"Effect of {axes}", text, figures, tables)


@dataclass(frozen=True)
class _Sweep:
    """One task and algorithm along one axis."""

    study: Study
    task: str
    axis: str
    algorithm: str

    @property
    def points(self) -> list[str]:
        return [str(point) for point in self.study.values(self.axis, task=self.task)]

    @property
    def measures(self) -> list[_Measure]:
        """Those that some run has."""
        runs = self.study.select(task=self.task, algorithm=self.algorithm)
        return [one for one in _MEASURES if any(run.series(one.column)[0] for run in runs)]

    def figure(self) -> NamedFigure:
        measures, starts = self.measures, self.study.starts(self.task)
        colours = style.start_colours(starts, self.study.random_start(self.task))
        made, panels = style.figure(len(measures), width=6.4 if len(measures) < 2 else 10.0)
        for axes, measure in zip(panels, measures, strict=True):
            for start in starts:
                self._draw(axes, measure, start, colours[start])
            axes.set_xticks(range(len(self.points)), self.points)
            axes.set_xlabel(self.axis.replace("_", " "))
            axes.set_ylabel(measure.title)
        panels[0].legend()
        caption = f"{self.task}, {self.algorithm}: {setting(self.study, self.task)}"
        return NamedFigure(self._name("sweep"), caption, made)

    def _draw(self, axes: Any, measure: _Measure, start: str, colour: str) -> None:
        cells = [measure.over(self._runs(start, point)) for point in self.points]
        axes.errorbar(
            range(len(cells)),
            [cell.mean for cell in cells],
            yerr=[0.0 if math.isnan(cell.std) else cell.std for cell in cells],
            color=colour,
            marker="o",
            capsize=3,
            label=start,
        )

    def table(self, measure: _Measure) -> Table:
        points, rows = self.points, []
        for start in self.study.starts(self.task):
            cells = [str(measure.over(self._runs(start, point))) for point in points]
            last, first = (self._runs(start, point) for point in (points[-1], points[0]))
            rows.append([start, *cells, str(paired_difference(last, first, self.axis, measure.of))])
        header = ["start", *points, f"{points[-1]} minus {points[0]}"]
        told = setting(self.study, self.task)
        caption = f"{self.task}, {self.algorithm}, {measure.title}: {told}"
        prefix = "sweep" if measure.column == FINAL else f"sweep_{measure.column}"
        return Table(self._name(prefix), caption, header, rows)

    def _runs(self, start: str, point: str) -> list[Run]:
        return captions.without_iid(
            self.study, self.task, start=start, algorithm=self.algorithm, **{self.axis: point}
        )

    def _name(self, prefix: str) -> str:
        return f"{prefix}_{self.axis}_{self.task}_{self.algorithm}".replace("/", "_")
