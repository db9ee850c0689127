"""The cosines between the updates of the cohort that comes next."""

from typing import Any

from fed_pretrain.experiment.analyses import coming_round
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.probes import cohort_matrix


def measure(subject: Subject) -> dict[str, Any]:
    """The content of alignment.json."""
    coming = coming_round.after(subject)
    names = [client.client_id for client in coming.clients]
    content = cohort_matrix.measure((update for update, _ in coming.updates()), names)
    return {**content, **coming.provenance()}
