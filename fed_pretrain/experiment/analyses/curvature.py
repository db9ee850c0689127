"""The curvature of the training loss at the subject's weights."""

import sys
from collections.abc import Callable
from typing import Any

from data_prep.progress import Progress
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.assembly import TRAIN_SPLIT
from fed_pretrain.probes.curvature import probe, sample
from fed_pretrain.probes.curvature.loss_curvature import CurvatureOperator, curvature_computation


def of_kind(kind: str) -> Callable[[Subject], dict[str, Any]]:
    """The measurement with the Hessian, Gauss-Newton or Fisher operator."""

    def measure(subject: Subject) -> dict[str, Any]:
        config, index = subject.config.curvature, subject.assembly.task.dataset.index(TRAIN_SPLIT)
        drawn = sample.draw(index, config.examples, config.seed)
        progress = Progress(kind, config.iterations, stream=sys.stderr)

        def show(iteration: int, value: float, residual: float) -> None:
            progress.update(iteration, f"top {value:.5g}, relative residual below {residual:.1e}")

        content = probe.measure(operator(subject, drawn, kind), drawn, config, show)
        progress.close()
        return {**content, "operator": kind}

    return measure


def operator(
    subject: Subject, drawn: sample.Sample, kind: str, batch: int | None = None
) -> CurvatureOperator:
    """The operator over the drawn examples; its computation is built once a session."""
    assembly = subject.assembly
    task, build_model = assembly.task, assembly.start.build_model
    reader = task.reader(TRAIN_SPLIT)
    batch = batch or sample.micro_batch(reader, drawn, task.kind != "text")
    computation = assembly.session.cached(
        (kind, id(task), repr(build_model.identity()), batch),
        lambda: curvature_computation(task, build_model, batch, kind),
    )
    return probe.operator_for(
        task,
        build_model,
        assembly.executor,
        subject.weights,
        drawn,
        computation=computation,
        kind=kind,
        batch=batch,
    )
