"""Each client's own top eigenvalue, and the angles between their eigenvectors."""

import sys
from typing import Any

from fed_pretrain.curvature import curvature_config, sample
from fed_pretrain.curvature.loss_operators import CurvatureOperator
from fed_pretrain.experiment.analyses import curvature
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.assembly.assemble import TRAIN_SPLIT
from fed_pretrain.probes.curvature import clients, probe
from groundwork.progress import Progress


def measure(subject: Subject) -> dict[str, Any]:
    """The content of clients.json: the examples asked for are shared out over the cohort."""
    config, cohort, seed = subject.config.run.curvature, subject.cohort, curvature.seed(subject)
    index = subject.assembly.task.dataset.index(TRAIN_SPLIT)
    wanted = config.number_of_examples
    share = None if wanted is None else max(1, wanted // len(cohort))
    block = curvature_config.chosen(subject.assembly.start.names[0], config.layers)

    def operator_of(client_id: str) -> CurvatureOperator:
        drawn = sample.of_client(index, client_id, share, seed)
        return curvature.operators_at(subject, drawn, curvature.HESSIAN)(block)

    progress = Progress("clients", len(cohort), stream=sys.stderr)
    content = clients.measure(
        operator_of,
        cohort,
        seed=seed,
        iterations=config.iterations,
        tolerance=config.tolerance,
        on_client=lambda number, value: progress.update(number, f"top {value:.5g}"),
    )
    progress.close()
    return {**content, "unit": probe.UNIT, "operator": curvature.HESSIAN, "block": block.name}
