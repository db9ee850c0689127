"""Accuracy from one interval of the data to the next, and what carrying weights on gives."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.curves import Curves, Line, Panel, PanelRow
from fed_pretrain.reporting.estimates import Estimate, by_seed, estimate, paired
from fed_pretrain.reporting.hero import colour_of, ordered_starts
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import signed
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.table import Cell, Table, file_name


def _before(run: Run) -> float:
    values = run.series(FINAL)[1]
    return values[0] if values else math.nan


def _after(run: Run) -> float:
    return run.last(FINAL)


_MEASURES: tuple[tuple[str, str, Callable[[Run], float]], ...] = (
    ("before", "accuracy before training", _before),
    ("after", "final accuracy", _after),
)


def trend_section(study: Study) -> Section | None:
    """A chart a task and algorithm: accuracy by interval of the data, before and after training."""
    intervals = tuple(map(str, study.plan.get("intervals") or ()))
    if len(intervals) < 2:
        return None
    trends = [
        _Trend(study, task, algorithm, intervals)
        for task in study.tasks
        for algorithm in study.values("algorithm", task=task)
    ]
    found = [sentence for trend in trends for sentence in trend.sentences()]
    text = [
        "Each interval of the data is prepared, trained on and evaluated by itself. Bold: mean over"
        " seeds; thin: single seeds.",
        *found,
        *captions.notes(study, study.tasks),
    ]
    title = f"From {intervals[0]} to {intervals[-1]}"
    charts = [trend.chart() for trend in trends]
    tables = [trend.table(*measure) for trend in trends for measure in _MEASURES]
    return Section("trend", title, text, charts, tables, topic="Trend")


@dataclass(frozen=True)
class _Trend:
    study: Study
    task: str
    algorithm: str
    intervals: tuple[str, ...]

    @property
    def _place(self) -> str:
        names = Names(self.study)
        return f"{names.task(self.task)}, {names.algorithm(self.algorithm)}"

    def of(self, start: str, value: Callable[[Run], float]) -> list[dict[int, float]]:
        """By interval and seed; a start that is carried on has nothing in the first interval."""
        where = {"task": self.task, "algorithm": self.algorithm, "start": start}
        return [
            by_seed(self.study.select(partition=interval, **where), value)
            for interval in self.intervals
        ]

    def sentences(self) -> list[str]:
        """What each carried start gives over the random one in the intervals that both have."""
        continued = self.study.plan["tasks"][self.task].get("continued", {})
        random_start, names = self.study.random_start(self.task), Names(self.study)
        if random_start is None:
            return []
        found = []
        for start in continued:
            gains = [
                f"{self._gain(start, random_start, value)} {what}" for _, what, value in _MEASURES
            ]
            found.append(
                f"{self._place}: with {names.start(self.task, start)} instead of"
                f" {names.start(self.task, random_start)}, {' and '.join(gains)}, mean over the"
                " intervals that both have."
            )
        return found

    def _gain(self, start: str, other: str, value: Callable[[Run], float]) -> str:
        seeds: dict[int, list[float]] = {}
        for one, beside in zip(self.of(start, value), self.of(other, value), strict=True):
            for seed in one.keys() & beside.keys():
                seeds.setdefault(seed, []).append(one[seed] - beside[seed])
        gain = estimate(sum(values) / len(values) for values in seeds.values())
        return _words(gain)

    def chart(self) -> Curves:
        rows = tuple(
            PanelRow("", (self._panel(what, value),), own_scales=True)
            for _, what, value in _MEASURES
        )
        caption = f"{self._place}: {captions.setting(self.study, self.task)}"
        name = file_name(f"trend_{self.task}_{self.algorithm}")
        return Curves(name, caption, rows, x_name="interval")

    def _panel(self, what: str, value: Callable[[Run], float]) -> Panel:
        names, lines = Names(self.study), []
        for start in ordered_starts(self.study, self.task):
            there = [(i, one) for i, one in enumerate(self.of(start, value)) if one]
            seeds = sorted(set.intersection(*(set(one) for _, one in there))) if there else []
            if seeds:
                x = tuple(float(i) for i, _ in there)
                runs = tuple(tuple(one[seed] for _, one in there) for seed in seeds)
                colour = colour_of(self.study, self.task, start)
                lines.append(Line(names.start(self.task, start), colour, x, runs))
        ticks = tuple((float(i), name) for i, name in enumerate(self.intervals))
        return Panel(f"{self._place}: {what}", tuple(lines), ticks=ticks)

    def table(self, key: str, what: str, value: Callable[[Run], float]) -> Table:
        names, rows = Names(self.study), []
        for start in ordered_starts(self.study, self.task):
            found = self.of(start, value)
            there = [one for one in found if one]
            row: list[Cell] = [names.start(self.task, start)]
            row += [estimate(one.values()) for one in found]
            row.append(paired(there[-1], there[0]) if there else estimate(()))
            rows.append(row)
        header = ["start", *self.intervals, "last minus first"]
        caption = f"{self._place}, {what}: {captions.setting(self.study, self.task)}"
        return Table(file_name(f"trend_{key}_{self.task}_{self.algorithm}"), caption, header, rows)


def _words(gain: Estimate) -> str:
    if not gain.known:
        return "no"
    interval = f" ({signed(gain.low)} to {signed(gain.high)})" if gain.count > 1 else ""
    return f"{signed(gain.mean)}{interval}"
