"""What the figures of all probes share: size, colours, heat maps, and the PNG on disk."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from data_prep import atomic

COLOURS = ("#0072B2", "#D55E00", "#009E73")


def save(made: Figure, target: Path) -> None:
    with atomic.replacing(target) as path:
        made.savefig(path, format="png", dpi=130, metadata={"Software": None})


def panels(rows: int, columns: int, width: float = 5.6, height: float = 4.0) -> tuple[Figure, Any]:
    """A figure of several plots of that size, and the array of them."""
    made = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return made, made.subplots(rows, columns, squeeze=False)


def axes(title: str, horizontal: str, vertical: str) -> tuple[Figure, Any]:
    """A figure of one plot."""
    made, plots = panels(1, 1)
    plots[0, 0].set(title=title, xlabel=horizontal, ylabel=vertical)
    return made, plots[0, 0]


def numbers(values: Any) -> np.ndarray:
    """What JSON holds as an array; null is NaN, which no figure draws."""
    return np.array(values, dtype=float)


def heat_map(values: Any, title: str, low: float) -> Figure:
    """Client by client, from `low` to 1."""
    made, plot = axes(title, "client", "client")
    image = plot.imshow(numbers(values), vmin=low, vmax=1, cmap="RdBu_r")
    made.colorbar(image, ax=plot)
    whole_numbers(plot.xaxis)
    whole_numbers(plot.yaxis)
    return made


def whole_numbers(axis: Any) -> None:
    """Ticks of rounds and clients."""
    axis.set_major_locator(MaxNLocator(integer=True))
