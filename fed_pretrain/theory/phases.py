"""Phase diagrams: the test error over two axes at once, and what one label a client costs there."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from fed_pretrain.theory.tables import Row, last, split_name, where

_SIGNAL = "||mu|| / sigma_p"


def by_alignment(rows: list[Row]) -> Figure:
    """Signal-to-noise by the share of aligned filters at the start."""
    rows = last(rows)
    made, axes = _panels(1, len(_splits(rows)) + 1)
    image = _row(axes[0], rows, "aligned", "aligned share at the start")
    made.colorbar(image, ax=axes, label="test error", shrink=0.9)
    return made


def by_cosine(rows: list[Row]) -> Figure:
    """Signal-to-noise by the pre-training's cosine; below one another, the shares aligned by count.

    At the largest tau, where heterogeneity costs most.
    """
    tau = max(row["tau"] for row in rows)
    rows = where(last(rows), tau=tau)
    shares = list(dict.fromkeys(row["aligned"] for row in rows))
    made, axes = _panels(len(shares), len(_splits(rows)) + 1)
    for line, share in zip(axes, shares, strict=True):
        own = "alignment its own" if share is None else f"{share:.0%} aligned by count"
        image = _row(line, where(rows, aligned=share), "cosine", f"{own}\ncosine of pre-training")
    made.colorbar(image, ax=axes, label="test error", shrink=0.6)
    made.suptitle(f"Test error from pre-trained starts, tau = {tau}")
    return made


def _splits(rows: Sequence[Row]) -> list[float]:
    """The largest and the smallest h, or the only one."""
    found = {row["h"] for row in rows}
    return sorted({max(found), min(found)}, reverse=True)


def _panels(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    return plt.subplots(rows, columns, figsize=(3.8 * columns, 3.0 * rows), squeeze=False)


def _row(axes: Sequence[Axes], rows: list[Row], vertical: str, name: str) -> AxesImage:
    """A panel for each split, and one for what the last costs beside the first."""
    signals = sorted({row["signal_to_noise"] for row in rows})
    heights = sorted({row[vertical] for row in rows})
    splits, grids = _splits(rows), []
    for h in splits:
        cells = {(r[vertical], r["signal_to_noise"]): r["test_error"] for r in where(rows, h=h)}
        grids.append(
            np.array([[cells[height, signal] for signal in signals] for height in heights])
        )
    named = [*zip(map(split_name, splits), grids, strict=True)]
    named.append(("damage: the difference", grids[-1] - grids[0]))
    for axis, (title, grid) in zip(axes, named, strict=True):
        image = _heat(axis, grid, signals, heights)
        axis.set(title=title, xlabel=_SIGNAL)
    axes[0].set_ylabel(name)
    return image


def _heat(axis: Axes, grid: np.ndarray, across: list[float], up: list[float]) -> AxesImage:
    image = axis.imshow(grid, origin="lower", aspect="auto", cmap="viridis", vmin=0, vmax=0.5)
    axis.grid(False)
    axis.set_xticks(range(len(across)), [f"{value:g}" for value in across])
    axis.set_yticks(range(len(up)), [f"{value:g}" for value in up])
    for (row, column), value in np.ndenumerate(grid):
        ink = "black" if value > 0.3 else "white"
        # A difference of noise is no "-0.00".
        text = f"{value:.2f}".replace("-0.00", "0.00")
        axis.text(column, row, text, ha="center", va="center", color=ink, fontsize=7)
    return image
