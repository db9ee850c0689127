"""Loss and accuracy on held-out data."""

from typing import Any

from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.evaluations import Evaluations


def measure(subject: Subject) -> dict[str, Any]:
    return Evaluations(subject.assembly).row(subject.weights, [])
