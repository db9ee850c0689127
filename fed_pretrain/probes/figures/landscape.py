"""The loss between models."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from fed_pretrain.probes.figures import canvas


def line(content: Mapping[str, Any]) -> Figure:
    """landscape.json"""
    ends = (content["first"], content["second"])
    title, horizontal = "loss between two models", f"0: {ends[0]}   1: {ends[1]}"
    made, plot = canvas.axes(title, horizontal, "loss (nats)")
    for colour, split in zip(canvas.COLOURS, content["splits"], strict=False):
        one = content["splits"][split]
        label = f"{split}, barrier {one['barrier']:.3g}"
        plot.plot(one["shares"], one["loss"], marker="o", color=colour, label=label)
    plot.legend()
    return made
