"""Loss and accuracy on held-out data; with --eval_clients of every client by itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.probes.probe import Content, Probe
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKED = 60


class Loss(Probe):
    """The evaluation columns of a run, of any weights."""

    name = "loss"
    help = "loss and accuracy of the weights as they are; by client with `--eval_clients`"

    def measure(self) -> Content:
        clients: list[dict[str, Json]] = []

        def keep(client_id: str, figures: Mapping[str, float]) -> None:
            clients.append({"client": client_id, **figures})

        row = dict(self.subject.evaluate(self.subject.model.weights, keep))
        return {**row, "clients": clients} if clients else row

    @staticmethod
    def draw(content: Mapping[str, Json]) -> "Figure | None":
        """From the worst served client to the best; None without clients in it."""
        from fed_pretrain.probes import drawing

        if "clients" not in content:
            return None
        made, (plots,) = drawing.panels(1, 2)
        for plot, name, unit, worst_is_low in zip(
            plots, ("accuracy", "loss"), ("", " (nats)"), (True, False), strict=True
        ):
            values = drawing.numbers([row[name] for row in content["clients"]])
            known = np.sort(values[np.isfinite(values)])
            ordered = known if worst_is_low else known[::-1]
            marker = "." if len(ordered) <= _MARKED else ""  # a few clients are marked one by one
            plot.plot(range(1, len(ordered) + 1), ordered, color="0.5", marker=marker)
            lines = (
                ("all their examples pooled", content[f"eval_clients_{name}"], "-"),
                ("mean of the clients", content[f"eval_clients_{name}_mean"], "--"),
                ("worst tenth of them", content[f"eval_clients_{name}_worst_decile"], ":"),
            )
            drawing.levels(plot, lines)
            plot.set(xlabel="client, the worst served first", ylabel=f"{name}{unit}")
            drawing.whole_numbers(plot.xaxis)
        made.suptitle(f"each of {len(content['clients'])} evaluation clients by itself")
        return made
