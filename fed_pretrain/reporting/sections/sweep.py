"""What is measured against a swept axis: local steps, unequal work, and what a plan may name."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.curves import Curves, Line, Panel, PanelRow
from fed_pretrain.reporting.estimates import Estimate, by_seed, estimate, paired
from fed_pretrain.reporting.hero import colour_of, ordered_starts
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.table import Cell, Table, file_name


@dataclass(frozen=True)
class _Measure:
    """What is shown against a swept axis: the last value of a column, or its mean over rounds."""

    column: str
    title: str
    last: bool = False

    def of(self, run: Run) -> float:
        if self.last:
            return run.last(self.column)
        values = self.values(run)
        return sum(values) / len(values) if values else math.nan

    def values(self, run: Run) -> list[float]:
        return run.series(self.column)[1]


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
    """A chart a task, algorithm and swept axis: what is measured against the axis, by start."""
    sweeps = [
        _Sweep(study, task, axis, algorithm)
        for task in study.tasks
        for axis in study.plan.get("sweep", {})
        for algorithm in study.values("algorithm", task=task)
    ]
    if not sweeps:
        return None
    axes = ", ".join(name.replace("_", " ") for name in study.plan["sweep"])
    drift = any(len(sweep.measures) > 1 for sweep in sweeps)
    text = [
        f"Accuracy after the last round against {axes}; equal rounds for every point. Bold: mean"
        " over seeds; thin: single seeds; the last column of a table is paired by seed.",
        *([_DRIFT] if drift else []),
        *captions.notes(study, study.tasks),
    ]
    title = findings.heading(study, ["local_steps", "local_steps_random"], f"Effect of {axes}")
    charts = [sweep.chart() for sweep in sweeps]
    tables = [sweep.table(measure) for sweep in sweeps for measure in sweep.measures]
    return Section("sweep", title, text, charts, tables, topic=f"Effect of {axes}")


@dataclass(frozen=True)
class _Sweep:
    """One task and algorithm along one axis."""

    study: Study
    task: str
    axis: str
    algorithm: str

    @cached_property
    def points(self) -> list[str]:
        return [str(point) for point in self.study.values(self.axis, task=self.task)]

    @cached_property
    def measures(self) -> list[_Measure]:
        """Those that some run has."""
        runs = self.study.select(task=self.task, algorithm=self.algorithm)
        return [one for one in _MEASURES if any(one.values(run) for run in runs)]

    @property
    def _place(self) -> str:
        names = Names(self.study)
        several = len(self.study.values("algorithm", task=self.task)) > 1
        parts = [names.task(self.task), *([names.algorithm(self.algorithm)] if several else [])]
        return ", ".join(parts)

    def chart(self) -> Curves:
        rows = tuple(PanelRow("", (self._panel(one),), own_scales=True) for one in self.measures)
        caption = f"{self._place}: {captions.setting(self.study, self.task)}"
        return Curves(self._name("sweep"), caption, rows, x_name=self.axis.replace("_", " "))

    def _panel(self, measure: _Measure) -> Panel:
        names, lines = Names(self.study), []
        for start in ordered_starts(self.study, self.task):
            found = [self.by_seed(measure, start, point) for point in self.points]
            seeds = sorted(set.intersection(*map(set, found)))
            if seeds:
                runs = tuple(tuple(one[seed] for one in found) for seed in seeds)
                colour = colour_of(self.study, self.task, start)
                x = tuple(map(float, range(len(self.points))))
                lines.append(Line(names.start(self.task, start), colour, x, runs))
        ticks = tuple((float(i), point) for i, point in enumerate(self.points))
        return Panel(f"{self._place}: {measure.title}", tuple(lines), ticks=ticks)

    def table(self, measure: _Measure) -> Table:
        names, rows = Names(self.study), []
        for start in ordered_starts(self.study, self.task):
            found = [self.by_seed(measure, start, point) for point in self.points]
            cells: Sequence[Estimate] = [estimate(one.values()) for one in found]
            row: list[Cell] = [names.start(self.task, start), *cells, paired(found[-1], found[0])]
            rows.append(row)
        header = ["start", *self.points, f"{self.points[-1]} minus {self.points[0]}"]
        caption = f"{self._place}, {measure.title}: {captions.setting(self.study, self.task)}"
        prefix = "sweep" if measure.column == FINAL else f"sweep_{measure.column}"
        return Table(self._name(prefix), caption, header, rows)

    def by_seed(self, measure: _Measure, start: str, point: str) -> dict[int, float]:
        runs = captions.without_iid(
            self.study, self.task, start=start, algorithm=self.algorithm, **{self.axis: point}
        )
        return by_seed(runs, measure.of)

    def _name(self, prefix: str) -> str:
        return file_name(f"{prefix}_{self.axis}_{self.task}_{self.algorithm}")
