"""Each client's own top eigenvalue, and the angles between their eigenvectors."""

import sys
from typing import Any

from data_prep.progress import Progress
from fed_pretrain.executors.api import ClientInput
from fed_pretrain.experiment.analyses import curvature
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.assembly import TRAIN_SPLIT
from fed_pretrain.probes.curvature import clients, probe, sample


def measure(subject: Subject) -> dict[str, Any]:
    """The content of clients.json: the examples asked for are shared out over the cohort."""
    config, cohort = subject.config.curvature, subject.cohort
    task = subject.assembly.task
    index = task.dataset.index(TRAIN_SPLIT)
    share = None if config.examples is None else max(1, config.examples // len(cohort))
    drawn = {name: sample.of_client(index, name, share, config.seed) for name in cohort}
    pooled = sample.Sample(tuple(one.clients[0] for one in drawn.values()), 0, config.seed)
    batch = sample.micro_batch(task.reader(TRAIN_SPLIT), pooled, task.kind != "text")
    progress = Progress("clients", len(cohort), stream=sys.stderr)
    content = clients.measure(
        lambda client: curvature.operator(subject, drawn[client.client_id], "hessian", batch),
        [ClientInput(name, dict) for name in cohort],
        seed=config.seed,
        iterations=config.iterations,
        tolerance=config.tolerance,
        on_client=lambda number, value: progress.update(number, f"top {value:.5g}"),
    )
    progress.close()
    return {**content, "unit": probe.UNIT, "operator": "hessian"}
