"""How figures look: colour-blind safe, legible in dark and light, the same bytes each time."""

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

# Okabe and Ito's palette; random is always vermilion, the first pre-trained start always blue.
RANDOM = "#D55E00"
PRETRAINED = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SERIES = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"),
    *("#56B4E9", "#8C6D1F", "#6A51A3", "#808080"),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "h")
# Stands for the page's text colour, which the browser knows and matplotlib does not.
_INK = "#123456"

_SETTINGS: Any = {
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titlecolor": _INK,
    "axes.grid": True,
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "font.size": 9,
    "grid.alpha": 0.25,
    "grid.color": _INK,
    "legend.frameon": False,
    "legend.labelcolor": _INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "fed_pretrain",
    "text.color": _INK,
    # A name may hold a dollar sign: nothing here is a formula.
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def look() -> AbstractContextManager[None]:
    """Everything drawn inside has the report's look; legends and titles take it when made."""
    return matplotlib.rc_context(_SETTINGS)


def figure(
    columns: int = 1,
    rows: int = 1,
    width: float = 6.4,
    height: float = 3.4,
    same_heights: bool = False,
) -> tuple[Figure, list[Any]]:
    """A figure and its axes, row by row."""
    with look():
        made = Figure(figsize=(width, height))
        axes = made.subplots(rows, columns, squeeze=False, sharey=same_heights)
    made.patch.set_alpha(0.0)
    for one in axes.flat:
        one.patch.set_alpha(0.0)
    return made, list(axes.flat)


def start_colours(starts: Sequence[str], random_start: str | None) -> dict[str, str]:
    others = iter(PRETRAINED * (len(starts) // len(PRETRAINED) + 1))
    return {start: RANDOM if start == random_start else next(others) for start in starts}


def to_svg(made: Figure) -> str:
    """An SVG for the page: no fixed size, ink in the page's text colour."""
    with look():
        text = io.StringIO()
        made.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    opening, closing, rest = svg.partition(">")
    return re.sub(r' (?:width|height)="[^"]*"', "", opening) + closing + rest


def to_png(made: Figure) -> bytes:
    """A PNG on white, for slides and papers."""
    with look():
        content = io.BytesIO()
        made.patch.set_alpha(1.0)
        made.savefig(content, format="png", facecolor="white", dpi=160, metadata={"Software": None})
    return content.getvalue()
