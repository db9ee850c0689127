"""Misaligned filters of every round a run has kept, up to the subject's."""

from collections.abc import Callable
from typing import Any

from data_prep.errors import UserError
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.server_state import ModelArrays
from fed_pretrain.probes.misalignment import Misalignment
from fed_pretrain.probes.probe import ProbeContext


def measure(subject: Subject) -> dict[str, Any]:
    kept, assembly = subject.kept, subject.assembly
    if kept is None:
        raise UserError("--probes=misalignment compares rounds of a run: give --run=DIR")
    context = ProbeContext(
        task=assembly.task,
        build_model=assembly.start.build_model,
        names=assembly.start.names[0],
        executor=assembly.executor,
        work=assembly.work,
        seed=assembly.config.seed,
        folder=subject.folder,
    )
    rounds = [number for number in kept.rounds() if number <= subject.round_number]

    def reader(number: int) -> Callable[[], ModelArrays]:
        return lambda: kept.read(number)

    return Misalignment(context).measure([(number, reader(number)) for number in rounds])
