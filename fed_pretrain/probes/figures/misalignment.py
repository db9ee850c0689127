"""Misaligned filters along a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from fed_pretrain.probes.figures import canvas


def shares(content: Mapping[str, Any]) -> Figure:
    """misalignment.json"""
    title = "misaligned filters (surrogate)"
    made, plot = canvas.axes(title, "round", "share of (filter, class)")
    definitions: Mapping[str, Any] = content["definitions"]
    for colour, name in zip(canvas.COLOURS, definitions, strict=False):
        totals: Sequence[float] = definitions[name]["total"]
        plot.plot(content["rounds"], totals, marker=".", color=colour, label=name)
    plot.legend()
    return made
