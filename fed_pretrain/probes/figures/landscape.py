"""The loss between and around models."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from fed_pretrain.probes.figures import canvas

_MARKERS = "osD"


def line(content: Mapping[str, Any]) -> Figure:
    """landscape.json: loss above, accuracy below, the two models as dotted lines."""
    made, plots = canvas.panels(2, 1, height=3.0)
    for (plot,), figure, sign in zip(plots, ("loss", "accuracy"), ("", "accuracy_"), strict=True):
        for colour, (split, one) in zip(canvas.COLOURS, content["splits"].items(), strict=False):
            label = f"{split}, barrier {one[f'{sign}barrier']:.3g}"
            values = canvas.numbers(one[figure])
            plot.plot(one["shares"], values, marker=".", color=colour, label=label)
        for share in (0.0, 1.0):
            plot.axvline(share, color="0.5", linestyle=":", linewidth=1)
        plot.legend(fontsize="small")
    plots[0, 0].set(ylabel="loss (nats)", title="on the line through two models")
    ends = f"0: {content['first']}    1: {content['second']}"
    plots[1, 0].set(ylabel="accuracy", xlabel=f"share of the way\n{ends}")
    return made


def plane(content: Mapping[str, Any]) -> Figure:
    """plane.json: a column a split; loss above, accuracy below; the three models marked."""
    splits = list(content["splits"])
    made, plots = canvas.panels(2, len(splits), width=5.0, height=4.2)
    for column, split in enumerate(splits):
        values = content["splits"][split]
        _contours(made, plots[0, column], content, values["loss"], f"{split}: loss (nats)", 0.5)
        _contours(made, plots[1, column], content, values["accuracy"], f"{split}: accuracy", 1.0)
    made.legend(
        *plots[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return made


def _contours(
    made: Figure, plot: Any, content: Mapping[str, Any], values: Any, title: str, power: float
) -> None:
    """Levels are denser near the low end where `power` is below 1."""
    found = np.ma.masked_invalid(canvas.numbers(values))
    low, high = float(found.min()), float(found.max())
    high = max(high, low + 1e-9)
    levels = low + (high - low) * np.linspace(0, 1, 16) ** (1 / power)
    colours = "viridis_r" if power < 1 else "viridis"
    norm = PowerNorm(power, low, high)
    drawn = plot.contourf(content["x"], content["y"], found, levels, cmap=colours, norm=norm)
    made.colorbar(drawn, ax=plot, format="%.3g", ticks=levels[::3])
    pairs = zip(content["corners"], content["models"], _MARKERS, strict=True)
    for (x, y), name, marker in pairs:
        plot.plot(x, y, marker, color="white", markeredgecolor="black", markersize=8, label=name)
    plot.set(title=title, xlabel="Euclidean distance", ylabel="Euclidean distance")
    plot.set_aspect("equal")


def along_eigenvector(content: Mapping[str, Any]) -> Figure:
    """eigenvector.json: the loss, and the parabola that the eigenvalue and the slope make."""
    title = f"training loss along the top eigenvector, eigenvalue {content['eigenvalue']:.4g}"
    horizontal = "distance along the unit eigenvector"
    made, plot = canvas.axes(title, horizontal, "loss (nats)")
    distances = content["distances"]
    plot.plot(
        distances, canvas.numbers(content["loss"]), ".-", color=canvas.COLOURS[0], label="loss"
    )
    plot.plot(
        distances,
        canvas.numbers(content["quadratic"]),
        "--",
        color=canvas.COLOURS[1],
        label="parabola of slope and eigenvalue",
    )
    plot.axvline(0.0, color="0.5", linestyle=":", linewidth=1)
    plot.legend(fontsize="small")
    return made
