"""Rows of values by start on one axis: a mark a start, a tick a seed, a line between the marks."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from fed_pretrain.reporting import numbers
from fed_pretrain.reporting.charts import paper
from fed_pretrain.reporting.charts.palette import legend, place
from fed_pretrain.reporting.charts.scale import Scale, covering, tick_text
from fed_pretrain.reporting.estimates import Estimate, estimate
from fed_pretrain.reporting.table import Cell, Table


@dataclass(frozen=True)
class Mark:
    """One start: its values by seed. On a logarithmic axis the mark is their geometric mean."""

    name: str
    colour: int
    values: tuple[float, ...]
    ring: bool | None = None

    @property
    def hollow(self) -> bool:
        """Unless it is said, random weights are drawn as a ring and others as a dot."""
        return self.colour == 0 if self.ring is None else self.ring


@dataclass(frozen=True)
class Dumbbell:
    label: str
    marks: tuple[Mark, ...]
    note: str = ""


@dataclass(frozen=True)
class Dumbbells:
    """`cited`: numbers of a paper, which the page keeps apart from ours."""

    name: str
    title: str
    caption: str
    rows: tuple[Dumbbell, ...]
    logarithmic: bool = False
    cited: bool = False
    quantity: str = "value"

    def html(self) -> Markup:
        scale = self._scale()
        rows = Markup("").join(self._row(scale, row) for row in self.rows)
        ticks = Markup("").join(
            Markup('<i style="left:{}%">{}</i>').format(_at(scale, tick), tick_text(tick))
            for tick in scale.ticks(4)
        )
        return Markup(
            '<figure class="dumb{}"><figcaption><b>{}</b> {}</figcaption>{}{}'
            '<div class="dr"><span></span><div class="sc" aria-hidden="true">{}</div><span></span>'
            "</div></figure>"
        ).format(
            " cited" if self.cited else "", self.title, self.caption, self._legend(), rows, ticks
        )

    def _legend(self) -> Markup:
        """Unless each row is its own start."""
        found = {(mark.name, mark.colour): None for row in self.rows for mark in row.marks}
        if any(mark.ring is not None for row in self.rows for mark in row.marks):
            return Markup("")
        return legend(list(found))

    def _scale(self) -> Scale:
        values = [value for row in self.rows for mark in row.marks for value in mark.values]
        return covering(values, logarithmic=self.logarithmic)

    def _row(self, scale: Scale, row: Dumbbell) -> Markup:
        shown = [(mark, self.middle(mark)) for mark in row.marks]
        shown = [(mark, one) for mark, one in shown if one.known]
        told = "; ".join(f"{m.name} {numbers.significant(one.mean, 3)}" for m, one in shown)
        parts = [Markup('<line class="g" x1="0" x2="100%" y1="12" y2="12"/>')]
        if len(shown) > 1:
            ends = [_at(scale, one.mean) for _, one in shown]
            parts.append(
                Markup('<line class="link" x1="{}%" x2="{}%" y1="12" y2="12"/>').format(
                    min(ends), max(ends)
                )
            )
        for mark, one in shown:
            parts += _mark(scale, mark, one.mean)
        return Markup(
            '<div class="dr"><span>{}</span><svg width="100%" height="24" role="img"'
            ' aria-label="{}: {}">{}</svg><span>{}</span></div>'
        ).format(row.label, row.label, told, Markup("").join(parts), row.note)

    def middle(self, mark: Mark) -> Estimate:
        """Over seeds; on a logarithmic axis of the logarithms, taken back."""
        if not self.logarithmic:
            return estimate(mark.values)
        logs = estimate(math.log(value) for value in mark.values if value > 0)
        mean, low, high = map(math.exp, (logs.mean, logs.low, logs.high))
        return Estimate(mean, low, high, logs.count)

    def table(self) -> Table:
        rows: list[list[Cell]] = [
            [row.label, mark.name, self.middle(mark)] for row in self.rows for mark in row.marks
        ]
        return Table(
            self.name, f"{self.title}. {self.caption}", ["task", "start", self.quantity], rows
        )

    def tables(self) -> Iterator[tuple[str, str]]:
        yield from self.table().tables()

    def figures(self) -> Iterator[tuple[str, bytes]]:
        yield from paper.files(self.name, self._figure())

    @paper.look()
    def _figure(self) -> paper.Figure:
        made, (axes,) = paper.grid(1, 1, 4.2, 0.5 + 0.3 * len(self.rows))
        named = set()
        for height, row in enumerate(self.rows):
            for mark in row.marks:
                label = None if mark.name in named else mark.name
                named.add(mark.name)
                ink = paper.ink(mark.colour)
                face = "none" if mark.hollow else ink.light
                axes.plot(
                    [self.middle(mark).mean], [height], linestyle="", label=label,
                    color=ink.light, marker=ink.mark, markerfacecolor=face,
                )  # fmt: skip
                axes.plot(mark.values, [height] * len(mark.values), "|", color=ink.light)
        axes.set_yticks(range(len(self.rows)), [row.label for row in self.rows])
        axes.invert_yaxis()
        if self.logarithmic:
            axes.set_xscale("log")
            paper.plain_ticks(axes.xaxis)
        axes.set_xlabel(self.quantity)
        axes.legend()
        return made


def _mark(scale: Scale, mark: Mark, middle: float) -> Iterator[Markup]:
    kind = f"s{place(mark.colour)}"
    for value in mark.values if len(mark.values) > 1 else ():
        at = _at(scale, value)
        yield Markup('<line class="sd {}" x1="{}%" x2="{}%" y1="7" y2="17"/>').format(kind, at, at)
    ring = " ring" if mark.hollow else ""
    yield Markup('<circle class="d {}{}" cx="{}%" cy="12" r="4.6"/>').format(
        kind, ring, _at(scale, middle)
    )


def _at(scale: Scale, value: float) -> float:
    return round(100 * scale.share(value), 2)
