"""Misaligned filters of every round a run has kept, up to the subject's."""

from typing import Any

from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.training.run_probes import probe_context
from fed_pretrain.probes.misalignment import Misalignment
from groundwork.errors import UserError


def measure(subject: Subject) -> dict[str, Any]:
    if subject.kept is None:
        raise UserError("--probes=misalignment compares rounds of a run: give --run=DIR")
    context = probe_context(subject.assembly, subject.folder)
    return Misalignment(context).at_end(subject.snapshots())
