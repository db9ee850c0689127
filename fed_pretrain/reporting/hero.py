"""The answer as a picture: a column a task, one scale for all intervals, one for all curves."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from fed_pretrain.reporting import captions, guessing, verdicts
from fed_pretrain.reporting.answer import ACCURACY
from fed_pretrain.reporting.charts.curves import Curves, Level, Line, Panel, PanelRow
from fed_pretrain.reporting.charts.scale import Scale, covering
from fed_pretrain.reporting.charts.strip import ruler, strip
from fed_pretrain.reporting.claims.row import Row
from fed_pretrain.reporting.estimates import over_seeds
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import fixed, listed, signed, span
from fed_pretrain.reporting.part import Html
from fed_pretrain.reporting.results import FINAL, Run, Study, begun, final
from fed_pretrain.reporting.shown import Shown, shown

# A start this near to its end brings everything that the run has.
_ALL_OF_IT = 0.01


def hero(study: Study, rows: Sequence[Row]) -> Html | None:
    """None where no run was evaluated more than once."""
    names = Names(study)
    columns = [_Column(study, names, task, list(rows)) for task in study.tasks]
    columns = [column for column in columns if column.panel.lines]
    if not columns:
        return None
    chart = Curves(
        "learning",
        "Held-out accuracy by round: the mean over runs, the lowest and the highest run",
        (PanelRow("held-out accuracy", tuple(c.panel for c in columns), from_zero=True),),
    )
    scale = _scale([row for column in columns for row in column.effects])
    body = Markup("").join(column.html(chart, scale) for column in columns)
    markup = Markup(
        '<figure class="hero"><div class="figtop"><p>{}<span class="quiet">held-out accuracy by'
        ' round; thin: single runs, bold: mean</span></p><p class="tog" id="algs" hidden'
        ' role="group" aria-label="Algorithm shown" data-items="{}"></p></div>'
        '<div class="three{}">{}</div><figcaption>{}</figcaption></figure>'
    ).format(
        _key(columns),
        _toggles(study, names),
        " one" if len(columns) == 1 else "",
        body,
        _caption(columns),
    )
    return Html(markup, [chart])


@dataclass(frozen=True)
class _Column:
    study: Study
    names: Names
    task: str
    rows: list[Row]

    @cached_property
    def starts(self) -> list[Shown]:
        return shown(self.study, self.task)

    @property
    def effects(self) -> list[Row]:
        found = (verdicts.of(self.rows, ACCURACY, self.task, one.start) for one in self.starts)
        return [row for row in found if row is not None]

    @property
    def panel(self) -> Panel:
        means = [line for one in self.starts if (line := _line(one, one.subjects()))]
        several = self.study.values("algorithm", task=self.task)
        single = [
            line
            for one in self.starts
            for algorithm in (several if len(several) > 1 else ())
            if (line := _line(one, one.subjects(algorithm=algorithm), algorithm))
        ]
        chance = guessing.of_task(self.study, self.task)
        guessed = chance.measured and means
        levels = (Level("always the commonest", chance.accuracy),) if guessed else ()
        ends = (0, len(means) - 1) if len(means) == 2 and means[0].colour == 0 else None
        return Panel(self.names.task(self.task), (*means, *single), levels, bracket=ends)

    def html(self, chart: Curves, scale: Scale) -> Markup:
        row = chart.rows[0]
        return Markup(
            '<div class="col"><h3>{}</h3><p class="sub">{}<br>{}</p>{}{}<p class="say">{}</p></div>'
        ).format(
            self.names.task(self.task), captions.model(self.study, self.task),
            captions.setting(self.study, self.task), self._effects(scale),
            chart.svg(row, self.panel), self.sentence(),
        )  # fmt: skip

    def _effects(self, scale: Scale) -> Markup:
        several = len(self.effects) > 1
        parts = []
        for row in self.effects:
            interval = span(*row.interval) if row.interval is not None else "one seed"
            start = Shown(self.study, self.task, row.start)
            named = Markup('<span class="of {}">{}</span> ').format(start.ink, start.name)
            parts.append(
                Markup('<p class="big{}">{}<b>{}</b> <span class="iv">{}</span> {}</p>{}').format(
                    " many" if several else "",
                    named if several else "",
                    signed(row.estimate),
                    interval,
                    verdicts.tag(row),
                    strip(
                        scale,
                        row.estimate,
                        row.interval,
                        row.values.values(),
                        verdicts.look(row).kind,
                    ),
                )
            )
        parts.append(ruler(scale, scale.ticks(4)) if self.effects else Markup(""))
        return Markup('<div class="eff">{}</div>').format(Markup("").join(parts))

    def sentence(self) -> str:
        return " ".join(map(self._told, self.starts))

    def _told(self, start: Shown) -> str:
        first, last = (over_seeds(start.subjects(), value).mean for value in (begun, final))
        name, ends = start.name, f"{fixed(first)} to {fixed(last)}"
        if self.study.is_random(self.task, start.start):
            name = name[:1].upper() + name[1:]
            if not captions.left_chance(self.study, self.task, start.start):
                return f"{name} never leave chance ({ends})."
            return f"{name} go from {ends}."
        if abs(last - first) < _ALL_OF_IT:
            return (
                f"From {name}, the start brings all of it: {fixed(first)} before the first round,"
                f" {fixed(last)} after the last."
            )
        return f"From {name}: {ends}{self._ahead_at_once(first)}."

    def _ahead_at_once(self, first: float) -> str:
        random_start = self.study.random_start(self.task)
        if random_start is None:
            return ""
        end = over_seeds(Shown(self.study, self.task, random_start).subjects(), final).mean
        return "; it begins above where random weights end" if first > end else ""


def _line(start: Shown, runs: Sequence[Run], algorithm: str = "") -> Line | None:
    line = start.line(runs, FINAL, algorithm)
    return line if line is not None and len(line.x) > 1 else None


def _scale(rows: Sequence[Row]) -> Scale:
    ends = [end for row in rows for end in (row.interval or ())]
    seeds = [value for row in rows for value in row.values.values()]
    return covering([*ends, *seeds], include=[0.0])


def _key(columns: Sequence[_Column]) -> Markup:
    """Two kinds where each task has one pre-trained start; otherwise every start at its line."""
    if any(len(column.starts) > 2 for column in columns):
        return Markup("")
    return Markup(
        '<span class="key s0 ring"></span>random weights <span class="key s1"></span>pre-trained'
        " weights "
    )


def _toggles(study: Study, names: Names) -> str:
    if len(study.algorithms) < 2:
        return ""
    items = [["", "All algorithms"], *([one, names.algorithm(one)] for one in study.algorithms)]
    return json.dumps(items, ensure_ascii=False)


def _caption(columns: Sequence[_Column]) -> str:
    counts = sorted({len(row.values) for column in columns for row in column.effects})
    bracket = "At right of each plot: the difference of the bold lines at the last round."
    if not counts or counts == [1]:
        return bracket
    several = any(len(c.study.values("algorithm", task=c.task)) > 1 for c in columns)
    what = " and averaged over algorithms" if several else ""
    return (
        f"Top of each column: final accuracy, pre-trained minus random, paired by seed{what}, with"
        f" its 95 % interval ({listed([str(n) for n in counts], 'or')} seeds; small dots: the"
        f" seeds). {bracket}"
    )
