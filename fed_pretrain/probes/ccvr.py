"""Is what uneven clients do to a model done to its head? CCVR (2106.05001) retrains the head alone.

Clients send means and covariances of what the head is given, by class; the server draws as many
features of every class from them and trains a head on these.
"""

from collections.abc import Mapping

from fed_pretrain.probes.probe import Content, Probe
from fed_pretrain.probes.subject import Subject
from groundwork.untyped import Json


class Ccvr(Probe):
    """The model's evaluation columns as it is, and with such a head."""

    name = "ccvr"
    help = "accuracy with a head retrained on virtual features of the clients' classes (CCVR)"
    needs = ("run",)
    asks_for = "calibrates a trained model: give --run=DIR"

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._calibrated = subject.calibration()

    def measure(self) -> Content:
        subject, made = self.subject, self._calibrated()
        rows = [
            {"name": name, **subject.evaluate(weights, None)}
            for name, weights in (("as it is", subject.model.weights), ("calibrated", made.weights))
        ]
        print(table(rows))
        return {
            "rows": rows,
            "paper": "arXiv 2106.05001",
            "strength": made.strength,
            "clients": made.clients,
            "bytes_down": made.bytes_down,
            "bytes_up": made.bytes_up,
        }


def table(rows: list[dict[str, Json]]) -> str:
    """The rows as text."""
    return "\n".join([f"{'':12} {'accuracy':>9} {'loss':>9}", *map(_line, rows)])


def _line(row: Mapping[str, Json]) -> str:
    return f"{row['name']:12} {row['eval_accuracy']:9.4f} {row['eval_loss']:9.4f}"
