"""Whom a model serves: every client's own loss and accuracy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fed_pretrain.probes.figures import canvas

_MARKED = 60


def served(content: Mapping[str, Any]) -> Figure | None:
    """loss.json: from the worst served client to the best; None without clients in it."""
    if "clients" not in content:
        return None
    made, (plots,) = canvas.panels(1, 2)
    for plot, name, unit, worst_is_low in zip(
        plots, ("accuracy", "loss"), ("", " (nats)"), (True, False), strict=True
    ):
        values = canvas.numbers([row[name] for row in content["clients"]])
        known = np.sort(values[np.isfinite(values)])
        _curve(plot, known if worst_is_low else known[::-1])
        lines = (
            ("all their examples pooled", content[f"eval_clients_{name}"], "-"),
            ("mean of the clients", content[f"eval_clients_{name}_mean"], "--"),
            ("worst tenth of them", content[f"eval_clients_{name}_worst_decile"], ":"),
        )
        canvas.levels(plot, lines)
        plot.set(xlabel="client, the worst served first", ylabel=f"{name}{unit}")
        canvas.whole_numbers(plot.xaxis)
    made.suptitle(f"each of {len(content['clients'])} evaluation clients by itself")
    return made


def _curve(plot: Any, values: Any) -> None:
    """A few clients are marked one by one."""
    marker = "." if len(values) <= _MARKED else ""
    plot.plot(range(1, len(values) + 1), values, color="0.5", marker=marker)
