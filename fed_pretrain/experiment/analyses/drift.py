"""How far the clients of the round that comes next would drift apart, and what averaging gains."""

from typing import Any

from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.experiment.analyses import coming_round
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.training.run_probes import probe_context
from fed_pretrain.probes import drift

_AVERAGE = "mean of the clients' models by their weights in the round, at a server rate of 1"


def measure(subject: Subject) -> dict[str, Any]:
    """The content of drift.json: the columns of a run's drift, and each client's own row.

    `servers_own` is null where the server's aggregate is the average.
    """
    coming = coming_round.after(subject)
    evaluate = drift.evaluation(probe_context(subject.assembly, subject.folder))
    rows: list[dict[str, float]] = []
    columns = drift.measure(subject.weights, coming.updates(), evaluate, rows.append)
    names = [client.client_id for client in coming.clients]
    return {
        **columns,
        "clients": [{"client": name, **row} for name, row in zip(names, rows, strict=True)],
        "average": _AVERAGE,
        "servers_own": known_updates.named(
            subject.assembly.algorithm.config.client_update
        ).servers_own,
        "before": evaluate(subject.weights),
        "examples": drift.EVALUATION_EXAMPLES,
        "unit": "drift and norm: Euclidean norm of the trainable weights; loss in nats a position"
        " and accuracy on the same evaluation examples; weight: in the round's mean",
        **coming.provenance(),
    }
