"""How far a run has gone, and where two runs from one start have ended."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fed_pretrain.probes.figures import canvas

_MOST_LAYERS = 24


def of_run(content: Mapping[str, Any]) -> Figure:
    """distances.json"""
    if "between" in content:
        return _between(content["between"])
    made, plot = canvas.axes("distance of the weights", "round", "Euclidean distance")
    for colour, name, label in zip(
        canvas.COLOURS,
        ("to_start", "to_final"),
        ("to the start", "to the last round"),
        strict=False,
    ):
        plot.plot(content["rounds"], content[name], marker=".", color=colour, label=label)
    canvas.whole_numbers(plot.xaxis)
    plot.legend()
    return made


def _between(content: Mapping[str, Any]) -> Figure:
    """The triangle of start and solutions, to scale; and the angle layer by layer."""
    layers = content["layers"]
    made, plots = canvas.panels(1, 2, height=max(4.0, 0.22 * min(len(layers), _MOST_LAYERS) + 1.2))
    _triangle(plots[0, 0], content)
    _angles(plots[0, 1], layers)
    return made


def _triangle(plot: Any, content: Mapping[str, Any]) -> None:
    whole = content["whole"]
    angle = np.radians(whole["angle_degrees"] or 0.0)
    first = np.array([whole["first_from_start"], 0.0])
    second = whole["second_from_start"] * np.array([np.cos(angle), np.sin(angle)])
    start = np.zeros(2)
    sides = (
        (start, first, whole["first_from_start"], canvas.COLOURS[0]),
        (start, second, whole["second_from_start"], canvas.COLOURS[1]),
        (first, second, whole["apart"], "0.4"),
    )
    for one, other, length, colour in sides:
        plot.plot(*zip(one, other, strict=True), color=colour)
        plot.annotate(
            f"{length:.3g}",
            (one + other) / 2,
            fontsize="small",
            color=colour,
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
        )
    names = ("start", content["first"], content["second"])
    colours = ("black", *canvas.COLOURS[:2])
    for point, name, colour in zip((start, first, second), names, colours, strict=True):
        plot.plot(*point, "o", color=colour, label=name)
    plot.legend(fontsize="small", loc="best")
    plot.set(
        title=f"angle {whole['angle_degrees'] or 0.0:.3g}°,\n"
        f"apart {whole['relative'] or 0.0:.3g} of the mean distance from the start",
        xlabel="Euclidean distance",
        ylabel="Euclidean distance",
    )
    plot.set_aspect("equal", adjustable="datalim")
    plot.margins(0.2)


def _angles(plot: Any, layers: list[Mapping[str, Any]]) -> None:
    """The layers that lie farthest apart, in the model's order."""
    farthest = sorted(layers, key=lambda layer: -layer["apart"])[:_MOST_LAYERS]
    shown = [layer for layer in layers if layer in farthest]
    names = [layer["layer"] for layer in shown]
    plot.barh(names, canvas.numbers([layer["angle_degrees"] for layer in shown]), color="0.6")
    plot.invert_yaxis()
    plot.tick_params(axis="y", labelsize="small")
    left_out = len(layers) - len(shown)
    plot.set(
        title="by layer" + (f" ({left_out} closer ones left out)" if left_out else ""),
        xlabel="angle between the two displacements (degrees)",
        xlim=(0, 180),
    )
    plot.axvline(90, color="0.5", linestyle=":", linewidth=1)
