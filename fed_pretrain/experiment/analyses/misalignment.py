"""Misaligned filters of every round a run has kept, up to the subject's."""

from typing import Any

from data_prep.errors import UserError
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.probes.misalignment import Misalignment
from fed_pretrain.probes.probe import ProbeContext


def measure(subject: Subject) -> dict[str, Any]:
    assembly = subject.assembly
    if subject.kept is None:
        raise UserError("--probes=misalignment compares rounds of a run: give --run=DIR")
    context = ProbeContext(
        task=assembly.task,
        build_model=assembly.start.build_model,
        names=assembly.start.names[0],
        executor=assembly.executor,
        seed=assembly.config.seed,
        folder=subject.folder,
    )
    return Misalignment(context).measure(subject.snapshots())
