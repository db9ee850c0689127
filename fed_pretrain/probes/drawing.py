"""What the figures of all probes share: size, colours, heat maps, and the PNG on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from groundwork import files, palette
from groundwork.untyped import Json

_NAMED, _LETTERS = 12, 14
COLOURS = palette.ON_WHITE[:3]


def save(made: Figure, target: Path) -> None:
    """A client's or a folder's name may hold dollar signs: no text of a figure is a formula."""
    for plot in made.axes:
        for axis in (plot.xaxis, plot.yaxis):
            if axis.get_scale() == "log":  # whose ticks would be formulas
                axis.set_major_formatter("{x:g}")
                axis.set_minor_formatter(NullFormatter())
    for text in made.findobj(Text):
        text.set_parse_math(False)
    with matplotlib.rc_context({"text.parse_math": False}), files.replacing(target) as path:
        made.savefig(path, format="png", dpi=130, metadata={"Software": None})


def panels(
    rows: int, columns: int, width: float = 5.6, height: float = 4.0
) -> tuple[Figure, np.ndarray]:
    """A figure of several plots of that size, and the array of them."""
    made = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return made, made.subplots(rows, columns, squeeze=False)


def axes(title: str, horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    """A figure of one plot."""
    made, plots = panels(1, 1)
    plots[0, 0].set(title=title, xlabel=horizontal, ylabel=vertical)
    return made, plots[0, 0]


def numbers(values: ArrayLike) -> np.ndarray:
    """What JSON holds as an array; null is NaN, which no figure draws."""
    return np.array(values, dtype=float)


def heat_map(values: ArrayLike, names: Sequence[str], title: str, low: float) -> Figure:
    """Client by client, from `low` to 1; a few clients are named and numbered."""
    made, plots = panels(1, 1, width=5.4, height=4.6)
    plot, found = plots[0, 0], numbers(values)
    colours = "RdBu_r" if low < 0 else "viridis"
    image = plot.imshow(found, vmin=low, vmax=1, cmap=colours)
    made.colorbar(image, ax=plot)
    plot.set_title(title, fontsize="medium")
    if len(names) > _NAMED:
        plot.set(xlabel="client, in the cohort's order", ylabel="client, in the cohort's order")
        whole_numbers(plot.xaxis)
        whole_numbers(plot.yaxis)
        return made
    plot.set_xticks(range(len(names)), [_short(name) for name in names], rotation=90)
    plot.set_yticks(range(len(names)), [_short(name) for name in names])
    plot.tick_params(labelsize="small")
    for (row, column), value in np.ndenumerate(found):
        middle = low + 0.15 * (1 - low) < value < low + 0.85 * (1 - low)
        colour = "black" if (middle if low < 0 else value > 0.6) else "white"
        plot.text(column, row, f"{value:.2f}", ha="center", va="center", size=7, color=colour)
    return made


def levels(plot: Any, lines: Sequence[tuple[str, float | None, str]], loc: str = "best") -> None:
    """Horizontal lines of (label, value, style), labelled with their numbers; null draws none."""
    for colour, (label, value, style) in zip(COLOURS, lines, strict=False):
        if value is not None:
            text = f"{label}: {value:.3g}"
            plot.axhline(value, color=colour, linestyle=style, label=text)
    plot.legend(fontsize="small", loc=loc, framealpha=0.9)


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


def whole_numbers(axis: Axis) -> None:
    """Ticks of rounds and clients."""
    axis.set_major_locator(MaxNLocator(integer=True))


def marked(made: Figure, content: Mapping[str, Json]) -> Figure:
    """Says on a cohort's figure when updates or average are not quite the run's own."""
    remarks = []
    if content["approximate"]:
        remarks.append("approximate: only the model of this round was kept")
    if content.get("servers_own"):
        remarks.append(f"the mean is not the algorithm's own: {content['servers_own']}")
    if remarks:
        made.suptitle("\n".join(remarks), fontsize="small")
    return made
