"""The cosines between the updates of the cohort that comes next."""

from typing import Any

from fed_pretrain.experiment import train
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.probes import cohort_matrix
from fed_pretrain.probes.local_updates import LocalUpdates


def measure(subject: Subject) -> dict[str, Any]:
    assembly, cohort = subject.assembly, subject.cohort
    coming = subject.round_number + 1
    algorithm = assembly.config.algorithm
    assert algorithm is not None
    local = LocalUpdates(
        assembly.task,
        assembly.start.build_model,
        assembly.executor,
        train.work_of(assembly, coming),
        algorithm.client_learning_rate,
    )
    found = local(subject.weights, cohort, assembly.config.seed, coming)
    content = cohort_matrix.measure((update for update, _ in found), cohort)
    return {**content, "client_learning_rate": local.learning_rate, "round": coming}
