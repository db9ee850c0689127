"""How far the clients of the round that comes next would drift apart, and what averaging gains."""

from typing import Any

from fed_pretrain.experiment.analyses import coming_round
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.probe_context import probe_context
from fed_pretrain.probes import drift


def measure(subject: Subject) -> dict[str, Any]:
    """The content of drift.json: the columns of a run's drift, and each client's own row."""
    coming = coming_round.after(subject)
    evaluate = drift.evaluation(probe_context(subject.assembly, subject.folder))
    rows: list[dict[str, float]] = []
    columns = drift.measure(subject.weights, coming.updates(), evaluate, rows.append)
    names = [client.client_id for client in coming.clients]
    return {
        **columns,
        "clients": [{"client": name, **row} for name, row in zip(names, rows, strict=True)],
        "before": evaluate(subject.weights),
        "examples": drift.EVALUATION_EXAMPLES,
        "unit": "drift and norm: Euclidean norm of the trainable weights; loss in nats a position"
        " and accuracy on the same evaluation examples; weight: in the round's mean",
        **coming.provenance(),
    }
