"""Loss and accuracy on held-out data."""

from collections.abc import Mapping
from typing import Any

from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.assembly.evaluations import Evaluations


def measure(subject: Subject) -> dict[str, Any]:
    """The content of loss.json: a run's columns; with --eval_clients each client's own figures."""
    clients: list[dict[str, Any]] = []

    def keep(client_id: str, figures: Mapping[str, float]) -> None:
        clients.append({"client": client_id, **figures})

    row = Evaluations(subject.assembly).row(subject.weights, [], keep)
    return {**row, "clients": clients} if clients else row
