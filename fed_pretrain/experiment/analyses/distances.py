"""How far a run has gone, and how far apart two runs' solutions lie."""

from typing import Any

from fed_pretrain.experiment.analyses import models
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.probes import distances, solutions
from groundwork.errors import UserError

_UNIT = (
    "Euclidean norm over all trainable weights; relative: apart as a share of the mean distance"
    " from the start; angle in degrees between the two displacements from the start"
)


def measure(subject: Subject) -> dict[str, Any]:
    """The content of distances.json; `between` is there with --other_run."""
    if subject.kept is None:
        raise UserError("--probes=distances compares weights of a run: give --run=DIR")
    start = models.start(subject)
    content = distances.series(subject.snapshots(), start.weights.trainable)
    if subject.config.other is not None:
        content["between"] = _between(subject, start, models.other(subject, subject.config.other))
    return {**content, "unit": _UNIT}


def _between(subject: Subject, start: models.Model, second: models.Model) -> dict[str, Any]:
    first = models.own(subject)
    same = first.start_digest == second.start_digest
    return {
        **solutions.compare(
            start.weights.trainable,
            first.weights.trainable,
            second.weights.trainable,
            subject.assembly.start.names[0],
        ),
        "first": first.name,
        "second": second.name,
        "same_start": same,
        "start_digests": [first.start_digest, second.start_digest],
        "start": "both runs began with these weights"
        if same
        else "the start of first; second began elsewhere, but is measured from there too",
    }
