"""Figures for papers by Matplotlib: PDF and SVG in the page's colours, the same bytes each time."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from fed_pretrain.reporting.charts.palette import place
from groundwork.palette import INKS, Ink
from groundwork.untyped import Json

__all__ = ["Axes", "Figure", "files", "grid", "ink", "inline", "look", "plain_ticks"]

_SETTINGS: Json = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "axes.grid": True,
    "figure.constrained_layout.use": True,
    "font.size": 8,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    # Letters stay letters that a reader can search and a typesetter can change.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "fed_pretrain",
    # A name may hold a dollar sign: nothing here is a formula.
    "text.parse_math": False,
}


@contextmanager
def look() -> Iterator[None]:
    """Everything drawn inside has the report's look, which words take when made."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def grid(
    panels: int, columns: int, width: float = 2.4, height: float = 1.9
) -> tuple[Figure, list[Axes]]:
    """A figure and its axes, row by row; those beyond the last panel are hidden."""
    columns = max(1, columns)
    rows = -(-max(1, panels) // columns)
    with look():
        made = Figure(figsize=(max(3.2, width * columns), height * rows + 0.3))
        axes = list(made.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[panels:]:
        unused.set_visible(False)
    return made, axes


def plain_ticks(axis: Axis) -> None:
    """For a logarithmic axis, whose ticks would be formulas."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def ink(colour: int) -> Ink:
    return INKS[place(colour)]


def files(name: str, made: Figure) -> Iterator[tuple[str, bytes]]:
    """As PDF and SVG."""
    for suffix, metadata in (("pdf", {"CreationDate": None}), ("svg", {"Date": None})):
        content = io.BytesIO()
        with look():
            made.savefig(content, format=suffix, metadata=metadata)
        yield f"figures/{name}.{suffix}", content.getvalue()


def inline(made: Figure, told: str) -> Markup:
    """An SVG for the page: no size of its own, and its black ink in the page's text colour."""
    text = io.StringIO()
    with look():
        made.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    opening, closing, rest = svg.partition(">")
    opening = re.sub(r' (?:width|height|xmlns:xlink|xmlns)="[^"]*"', "", opening)
    rest = re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    rest = re.sub(r"(?<![0-9a-f])#000000(?![0-9a-f])", "currentColor", rest)
    label = Markup(' role="img" aria-label="{}"').format(told)
    return Markup(opening) + label + Markup(closing + rest)
