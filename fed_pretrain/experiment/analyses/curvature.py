"""The curvature of the training loss at the subject's weights."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from data_prep.progress import Progress
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.assembly import TRAIN_SPLIT
from fed_pretrain.probes.curvature import probe, sample
from fed_pretrain.probes.curvature.lanczos import LanczosResult
from fed_pretrain.probes.curvature.loss_curvature import CurvatureOperator, curvature_computation

HESSIAN = "hessian"


def of_kind(kind: str) -> Callable[[Subject], dict[str, Any]]:
    """The measurement with the Hessian, Gauss-Newton or Fisher operator."""

    def measure(subject: Subject) -> dict[str, Any]:
        drawn = examples(subject)

        def keep(top: LanczosResult) -> None:
            subject.found[kind] = top

        with _progress(subject, kind) as show:
            content = probe.measure(
                operator(subject, drawn, kind), drawn, subject.config.curvature, show, keep
            )
        return {**content, "operator": kind}

    return measure


def top_of_hessian(subject: Subject) -> LanczosResult:
    """What the measurement of the Hessian found in this call, or the same computed now."""
    if HESSIAN not in subject.found:
        drawn = examples(subject)
        with _progress(subject, HESSIAN) as show:
            subject.found[HESSIAN] = probe.extreme(
                operator(subject, drawn, HESSIAN), subject.config.curvature, "largest", show
            )
    found: LanczosResult = subject.found[HESSIAN]
    return found


def examples(subject: Subject) -> sample.Sample:
    """The training examples that the curvature of this subject is measured on."""
    config, index = subject.config.curvature, subject.assembly.task.dataset.index(TRAIN_SPLIT)
    return sample.draw(index, config.examples, config.seed)


def micro_batch(subject: Subject, drawn: sample.Sample) -> int:
    task = subject.assembly.task
    return sample.micro_batch(task.reader(TRAIN_SPLIT), drawn, task.kind != "text")


def operator(
    subject: Subject, drawn: sample.Sample, kind: str, batch: int | None = None
) -> CurvatureOperator:
    """The operator over the drawn examples; its computation is built once a session."""
    assembly = subject.assembly
    task, build_model = assembly.task, assembly.start.build_model
    batch = batch or micro_batch(subject, drawn)
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


@contextlib.contextmanager
def _progress(subject: Subject, kind: str) -> Iterator[Callable[[int, float, float], None]]:
    """A line on stderr over the Lanczos iterations."""
    progress = Progress(kind, subject.config.curvature.iterations, stream=sys.stderr)

    def show(iteration: int, value: float, residual: float) -> None:
        progress.update(iteration, f"top {value:.5g}, relative residual below {residual:.1e}")

    yield show
    progress.close()
