"""A cohort's clients beside each other: their updates, their drift, their sharpest directions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fed_pretrain.probes.figures import canvas


def updates(content: Mapping[str, Any]) -> Figure:
    """alignment.json"""
    title = f"cosine between clients' updates ({content['client_update']})"
    cosine, diversity = content["mean_pairwise_cosine"], content["gradient_diversity"]
    if cosine is not None and diversity is not None:
        title += f"\nmean {cosine:.3g}, gradient diversity {diversity:.3g}"
    made = canvas.heat_map(content["cosine"], content["clients"], title, -1.0)
    return _marked(made, content)


def eigenvectors(content: Mapping[str, Any]) -> Figure:
    """clients.json"""
    names = [row["client"] for row in content["clients"]]
    title = "|cosine| of clients' top eigenvectors"
    return canvas.heat_map(content["absolute_cosine"], names, title, 0.0)


def drift(content: Mapping[str, Any]) -> Figure:
    """drift.json: what each client's model reaches beside their mean, and how far it went."""
    rows = content["clients"]
    made, (plots,) = canvas.panels(1, 2)
    numbers = np.arange(len(rows))
    for plot, name, label in zip(
        plots,
        ("accuracy", "norm"),
        ("evaluation accuracy", "Euclidean norm of the update"),
        strict=True,
    ):
        plot.bar(numbers, canvas.numbers([row[name] for row in rows]), color="0.75")
        plot.set(xlabel="client, in the cohort's order", ylabel=label)
        canvas.whole_numbers(plot.xaxis)
    lines = (
        ("weighted mean of their models", content.get("average_accuracy"), "-"),
        ("mean of the clients' own", content.get("local_accuracy"), "--"),
        ("before the round", content["before"]["accuracy"], ":"),
    )
    canvas.levels(plots[0], lines, "lower center")
    spread = (("drift, the spread about their weighted mean", content.get("drift"), "-"),)
    canvas.levels(plots[1], spread, "lower center")
    plots[0].set_title(f"clients' own models ({content['client_update']})")
    plots[1].set_title("how far they went, and apart")
    return _marked(made, content)


def _marked(made: Figure, content: Mapping[str, Any]) -> Figure:
    """Says on the figure when updates or average are not quite the run's own."""
    remarks = []
    if content["approximate"]:
        remarks.append("approximate: only the model of this round was kept")
    if content.get("servers_own"):
        remarks.append(f"the mean is not the algorithm's own: {content['servers_own']}")
    if remarks:
        made.suptitle("\n".join(remarks), fontsize="small")
    return made
