"""Curves by round in a grid of panels: a bold mean, and the single runs or their range."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from markupsafe import Markup, escape

from fed_pretrain.reporting import numbers
from fed_pretrain.reporting.charts import paper
from fed_pretrain.reporting.charts.labels import Box, place_labels
from fed_pretrain.reporting.charts.palette import legend, place
from fed_pretrain.reporting.charts.scale import Scale, covering, tick_text
from fed_pretrain.reporting.estimates import Estimate
from fed_pretrain.reporting.results import Run
from fed_pretrain.reporting.table import Cell, Table

# The page draws a longer curve through this many of its points; the CSV has all of them.
_MOST_POINTS = 60


@dataclass(frozen=True)
class Line:
    """The runs of one start: `runs[i][k]` belongs to `x[k]`.

    group: what a toggle shows it for; the lines without a group are shown at first.
    """

    name: str
    colour: int
    x: tuple[float, ...]
    runs: tuple[tuple[float, ...], ...]
    group: str = ""

    @cached_property
    def mean(self) -> tuple[float, ...]:
        return tuple(sum(column) / len(column) for column in zip(*self.runs, strict=True))

    def range(self, index: int) -> tuple[float, float]:
        column = [run[index] for run in self.runs]
        return min(column), max(column)

    @property
    def values(self) -> Iterator[float]:
        return (value for run in self.runs for value in run)


Series = Callable[[Run], tuple[list[int], list[float]]]


def line_of(
    runs: Sequence[Run], series: Series, name: str, colour: int, group: str = ""
) -> Line | None:
    """Over the rounds that every run has; None where no run has any."""
    found = [dict(zip(*series(run), strict=True)) for run in runs]
    curves = [{x: y for x, y in one.items() if math.isfinite(y)} for one in found]
    curves = [curve for curve in curves if curve]
    shared = sorted(set.intersection(*(set(curve) for curve in curves))) if curves else []
    if not shared:
        return None
    values = tuple(tuple(curve[x] for x in shared) for curve in curves)
    return Line(name, colour, tuple(map(float, shared)), values, group)


@dataclass(frozen=True)
class Level:
    """A horizontal line, as of chance; with a colour it belongs to a start.

    beside: its name is right of the plot, and not below the line.
    """

    name: str
    value: float
    colour: int | None = None
    beside: bool = False


@dataclass(frozen=True)
class Panel:
    """`tag` is in its corner; `bracket` names two lines whose last values are compared."""

    title: str
    lines: tuple[Line, ...]
    levels: tuple[Level, ...] = ()
    tag: str = ""
    bracket: tuple[int, int] | None = None
    ticks: tuple[tuple[float, str], ...] = ()

    @property
    def values(self) -> Iterator[float]:
        for line in self.lines:
            yield from line.values
        yield from (level.value for level in self.levels)


@dataclass(frozen=True)
class Frame:
    """The size of a panel in units of about a pixel, and the margins around its plot."""

    width: int = 392
    height: int = 244
    left: int = 38
    right: int = 46
    top: int = 10
    bottom: int = 30
    singles: bool = True
    labelled: bool = True


@dataclass(frozen=True)
class PanelRow:
    """Panels that show one quantity; `text` says what it is and `want` what a claim says of it."""

    title: str
    panels: tuple[Panel | None, ...]
    text: str = ""
    want: str = ""
    logarithmic: bool = False
    from_zero: bool = False
    own_scales: bool = False

    def scale(self, panel: Panel) -> Scale:
        shown = [panel] if self.own_scales else [one for one in self.panels if one is not None]
        values = [value for one in shown for value in one.values]
        zero = (0.0,) if self.from_zero else ()
        return covering(values, include=zero, logarithmic=self.logarithmic)


@dataclass(frozen=True)
class Curves:
    """A grid of panels. Without `columns` the panels carry their own titles and flow."""

    name: str
    caption: str
    rows: tuple[PanelRow, ...]
    columns: tuple[str, ...] = ()
    x_name: str = "round"
    frame: Frame = field(default_factory=Frame)

    def html(self) -> Markup:
        draw = self._grid if self.columns else self._flow
        return Markup('<figure class="cv">{}{}<figcaption>{}</figcaption></figure>').format(
            self._legend(), draw(), self.caption
        )

    def _legend(self) -> Markup:
        """Where the names are not at the lines."""
        if self.frame.labelled:
            return Markup("")
        found = {
            (line.name, line.colour): None
            for row in self.rows
            for panel in row.panels
            if panel is not None
            for line in panel.lines
            if not line.group
        }
        return legend(list(found))

    def _flow(self) -> Markup:
        cells = [
            Markup('<div class="col"><h4>{} {}</h4>{}</div>').format(
                panel.title, panel.tag, self.svg(row, panel)
            )
            for row in self.rows
            for panel in row.panels
            if panel is not None
        ]
        return Markup('<div class="three">{}</div>').format(Markup("").join(cells))

    def _grid(self) -> Markup:
        cells = [Markup('<div class="mh"></div>')]
        cells += [Markup('<div class="mh">{}</div>').format(name) for name in self.columns]
        for row in self.rows:
            want = Markup('<span class="want">{}</span>').format(row.want) if row.want else ""
            cells.append(
                Markup('<div class="ml"><b>{}</b><span>{}</span>{}</div>').format(
                    row.title, row.text, want
                )
            )
            for column, panel in zip(self.columns, row.panels, strict=True):
                cells.append(self._cell(row, column, panel))
        return Markup('<div class="mult" style="--n:{};--w:{}px">{}</div>').format(
            len(self.columns), round(1.15 * self.frame.width), Markup("").join(cells)
        )

    def _cell(self, row: PanelRow, column: str, panel: Panel | None) -> Markup:
        if panel is None or not panel.lines:
            return Markup('<div class="mp none">{}</div>').format("not measured")
        return Markup('<div class="mp"><span class="mt">{}</span>{}{}</div>').format(
            column, panel.tag, self.svg(row, panel)
        )

    def svg(self, row: PanelRow, panel: Panel) -> Markup:
        title = " ".join(filter(None, (panel.title, row.title)))
        return _Drawing(panel, row.scale(panel), self.frame, self.x_name, title).svg()

    def table(self) -> Table:
        """Every point of every line, over the runs that have it."""
        rows: list[list[Cell]] = [
            [row.title, panel.title, line.name, line.group, x, _over_runs(line, index)]
            for row in self.rows
            for panel in row.panels
            if panel is not None
            for line in panel.lines
            for index, x in enumerate(line.x)
        ]
        header = ["quantity", "panel", "line", "group", self.x_name, "value"]
        return Table(self.name, self.caption, header, rows)

    def tables(self) -> Iterator[tuple[str, str]]:
        yield f"tables/{self.name}.csv", self.table().csv()

    def figures(self) -> Iterator[tuple[str, bytes]]:
        yield from paper.files(self.name, self._figure())

    @paper.look()
    def _figure(self) -> paper.Figure:
        panels = [(row, panel) for row in self.rows for panel in row.panels if panel is not None]
        columns = len(self.columns) or min(3, len(panels))
        made, axes = paper.grid(len(panels), columns)
        for one, (row, panel) in zip(axes, panels, strict=False):
            _draw_paper(one, row, panel, self.x_name, self.frame.singles)
        axes[0].legend()
        return made


def _over_runs(line: Line, index: int) -> Estimate:
    """The mean, lowest and highest run: a range, not an interval."""
    return Estimate(line.mean[index], *line.range(index), len(line.runs))


def _draw_paper(axes: paper.Axes, row: PanelRow, panel: Panel, x_name: str, singles: bool) -> None:
    for line in panel.lines:
        if line.group:
            continue
        ink = paper.ink(line.colour)
        axes.plot(line.x, line.mean, color=ink.light, label=line.name)
        if singles:
            for run in line.runs:
                axes.plot(line.x, run, color=ink.light, alpha=0.3, linewidth=0.6)
        else:
            low, high = zip(*(line.range(i) for i in range(len(line.x))), strict=True)
            axes.fill_between(line.x, low, high, color=ink.light, alpha=0.15, linewidth=0)
    for level in panel.levels:
        axes.axhline(level.value, color="0.5", linestyle=":", linewidth=0.8)
    if row.logarithmic:
        axes.set_yscale("log")
        paper.plain_ticks(axes.yaxis)
    if panel.ticks:
        axes.set_xticks([x for x, _ in panel.ticks], [text for _, text in panel.ticks])
    axes.set_title(panel.title)
    axes.set_xlabel(x_name)
    axes.set_ylabel(row.title)


@dataclass(frozen=True)
class _Drawing:
    """One panel as SVG: colours are the page's, text keeps its size."""

    panel: Panel
    y: Scale
    frame: Frame
    x_name: str
    title: str

    @cached_property
    def x(self) -> Scale:
        values = [x for line in self.panel.lines for x in (line.x[0], line.x[-1])]
        low, high = min(values), max(values)
        return Scale(low, high if high > low else low + 1)

    @cached_property
    def _grouped(self) -> bool:
        """Whether the single runs are drawn with the lines of their group."""
        return any(line.group for line in self.panel.lines)

    def px(self, value: float) -> float:
        f = self.frame
        return round(f.left + self.x.share(value) * (f.width - f.left - f.right), 1)

    def py(self, value: float) -> float:
        f = self.frame
        return round(f.height - f.bottom - self.y.share(value) * (f.height - f.top - f.bottom), 1)

    def svg(self) -> Markup:
        parts = [*self._axes(), *self._levels()]
        for line in self.panel.lines:
            parts += self._line(line)
        if self.frame.labelled:
            parts += self._labels()
        parts += self._bracket()
        f = self.frame
        return Markup(
            '<svg class="pan" viewBox="0 0 {} {}" style="max-width:{}px" role="img"'
            ' aria-label="{}" data-t="{}" data-h="{}" data-j="{}">{}'
            '<path class="cross" d=""/></svg>'
        ).format(
            f.width, f.height, round(1.15 * f.width), self._told(), f.top, f.height - f.bottom,
            self._values(), Markup("").join(parts),
        )  # fmt: skip

    def _axes(self) -> Iterator[Markup]:
        f = self.frame
        right, base = f.width - f.right, f.height - f.bottom
        for tick in self.y.ticks(4 if f.height > 160 else 2):
            y = self.py(tick)
            yield Markup(
                '<path class="g" d="M{},{}H{}"/><text class="ax" x="{}" y="{}" text-anchor="end">'
                "{}</text>"
            ).format(f.left, y, right, f.left - 5, y + 3.5, tick_text(tick))
        for value, text in self.panel.ticks or self._rounds():
            yield Markup('<text class="ax" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                self.px(value), base + 14, text
            )
        yield Markup('<text class="ax" x="{}" y="{}" text-anchor="end">{}</text>').format(
            right, base + 28, self.x_name
        )

    def _rounds(self) -> list[tuple[float, str]]:
        """Whole rounds, and always the last one."""
        ticks = [tick for tick in self.x.ticks(4) if tick == int(tick)]
        near = (self.x.high - self.x.low) / 9
        ticks = [tick for tick in ticks if self.x.high - tick > near]
        return [(tick, tick_text(tick)) for tick in [*ticks, self.x.high]]

    def _levels(self) -> Iterator[Markup]:
        f = self.frame
        for level in self.panel.levels:
            kind = "" if level.colour is None else f" s{place(level.colour)}"
            yield Markup('<path class="chance{}" d="M{},{}H{}"/>').format(
                kind, f.left, self.py(level.value), f.width - f.right
            )
            if level.name:
                right, y = f.width - f.right, self.py(level.value)
                x, y, anchor = (
                    (right + 4, y + 3.5, "start") if level.beside else (right, y + 12, "end")
                )
                yield Markup('<text class="ax" x="{}" y="{}" text-anchor="{}">{}</text>').format(
                    x, y, anchor, level.name
                )

    def _line(self, line: Line) -> Iterator[Markup]:
        kind, kept = f"s{place(line.colour)}", thinned(len(line.x))
        if self.frame.singles and (line.group or not self._grouped):
            for run in line.runs:
                yield Markup('<path class="run {}" data-a="{}" d="{}"/>').format(
                    kind, line.group, self._path(line, run, kept)
                )
        elif self.frame.singles:
            pass
        elif len(line.runs) > 1 and len(kept) > 1:
            yield Markup('<path class="band {}" d="{}"/>').format(kind, self._band(line, kept))
        hidden = Markup(" hidden") if line.group else ""
        dots = Markup("")
        if len(kept) <= 12:
            dots = Markup("").join(
                Markup('<circle cx="{}" cy="{}" r="{}"/>').format(
                    self.px(line.x[k]), self.py(line.mean[k]), 3.4 if self.frame.singles else 2.6
                )
                for k in kept
            )
        yield Markup('<g class="mean {}" data-a="{}"{}><path d="{}"/>{}</g>').format(
            kind, line.group, hidden, self._path(line, line.mean, kept), dots
        )

    def _path(self, line: Line, values: Sequence[float], kept: Sequence[int]) -> str:
        return "M" + "L".join(f"{self.px(line.x[k])},{self.py(values[k])}" for k in kept)

    def _band(self, line: Line, kept: Sequence[int]) -> str:
        ends = [(self.px(line.x[k]), *map(self.py, line.range(k))) for k in kept]
        there = [f"{x},{low}" for x, low, _ in ends]
        back = [f"{x},{high}" for x, _, high in reversed(ends)]
        return "M" + "L".join(there + back) + "Z"

    def _labels(self) -> Iterator[Markup]:
        lines = [line for line in self.panel.lines if not line.group]
        curves = [
            [(self.px(x), self.py(y)) for x, y in zip(line.x, line.mean, strict=True)]
            for line in lines
        ]
        f = self.frame
        box = Box(f.left, f.top - 2, f.width - f.right, f.height - f.bottom)
        places = place_labels([line.name for line in lines], curves, box)
        for line, (x, y) in zip(lines, places, strict=True):
            yield Markup(
                '<text class="lab s{}" x="{}" y="{}" text-anchor="middle">{}</text>'
            ).format(place(line.colour), round(x, 1), round(y, 1), line.name)

    def _bracket(self) -> Iterator[Markup]:
        if self.panel.bracket is None:
            return
        first, second = (self.panel.lines[index].mean[-1] for index in self.panel.bracket)
        x, ends = self.frame.width - self.frame.right + 5, (self.py(first), self.py(second))
        yield Markup('<path class="brk" d="M{},{}h3V{}h-3"/>').format(x, *ends)
        middle = (ends[0] + ends[1]) / 2 + 4
        yield Markup('<text class="eff" x="{}" y="{}">{}</text>').format(
            x + 7, round(middle, 1), numbers.signed(second - first)
        )

    def _told(self) -> str:
        ends = [
            f"{line.name} from {numbers.significant(line.mean[0], 3)} to"
            f" {numbers.significant(line.mean[-1], 3)}"
            for line in self.panel.lines
            if not line.group
        ]
        return f"{self.title} by {self.x_name}: {'; '.join(ends)}."

    def _values(self) -> Markup:
        """What the script shows under the pointer."""
        found = []
        for line in self.panel.lines:
            kept = thinned(len(line.x))
            found.append(
                {
                    "c": f"s{place(line.colour)}",
                    "a": line.group,
                    "n": line.name,
                    "x": [_short(line.x[k]) for k in kept],
                    "p": [self.px(line.x[k]) for k in kept],
                    "m": [_short(line.mean[k]) for k in kept],
                    "l": [_short(line.range(k)[0]) for k in kept],
                    "h": [_short(line.range(k)[1]) for k in kept],
                }
            )
        return escape(json.dumps({"x": self.x_name, "s": found}, separators=(",", ":")))


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def thinned(count: int) -> list[int]:
    """At most this many indices, the first and the last among them."""
    if count <= _MOST_POINTS:
        return list(range(count))
    return sorted({round(i * (count - 1) / (_MOST_POINTS - 1)) for i in range(_MOST_POINTS)})
