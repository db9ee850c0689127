"""Federated averaging beside fine-tuning without it."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from fed_pretrain.probes.figures import canvas


def bars(content: Mapping[str, Any]) -> Figure:
    """baselines.json: accuracy, with what each way of training would have sent."""
    rows = content["rows"]
    made, plots = canvas.panels(1, 1, width=7.6, height=0.45 * len(rows) + 1.2)
    plot = plots[0, 0]
    drawn = plot.barh(
        [row["name"] for row in rows],
        canvas.numbers([row["accuracy"] for row in rows]),
        color=canvas.COLOURS[0],
    )
    sent = [(row["bytes_down"] + row["bytes_up"]) / 1e6 for row in rows]
    plot.bar_label(drawn, [f" {one:,.1f} MB sent" for one in sent], fontsize="small")
    plot.invert_yaxis()
    plot.set(xlabel="accuracy on the clients' own held-out rows", xlim=(0, 1.25))
    plot.set_xticks([0, 0.25, 0.5, 0.75, 1])
    return made
