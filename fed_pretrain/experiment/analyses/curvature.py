"""The curvature of the training loss at the subject's weights."""

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

from fed_pretrain.curvature import curvature_config, sample
from fed_pretrain.curvature.curvature_config import EACH
from fed_pretrain.curvature.lanczos import LanczosResult
from fed_pretrain.curvature.linear_operator import NotFinite
from fed_pretrain.curvature.loss_operators import Operators
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.assembly.assemble import TRAIN_SPLIT
from fed_pretrain.probes.curvature import probe
from groundwork.errors import UserError
from groundwork.progress import Progress

HESSIAN = "hessian"


def of_kind(kind: str) -> Callable[[Subject], dict[str, Any]]:
    """The measurement with the Hessian, Gauss-Newton or Fisher operator."""

    def measure(subject: Subject) -> dict[str, Any]:
        config, drawn = subject.config.run.curvature, examples(subject)

        def keep(top: LanczosResult) -> None:
            if config.layers in ("", EACH):  # eigenvectors of the whole model
                subject.found[kind] = top

        operator_of = operators_at(subject, drawn, kind)
        with _progress(subject, kind) as show:
            content = probe.measure(
                operator_of,
                subject.assembly.start.names[0],
                drawn,
                config,
                seed(subject),
                show,
                keep,
            )
        return {**content, "operator": kind}

    return measure


def top_of_hessian(subject: Subject) -> LanczosResult:
    """Of the whole model: what a measurement found in this call, or the same computed now."""
    if HESSIAN not in subject.found:
        whole = curvature_config.chosen(subject.assembly.start.names[0], "")
        operator = operators_at(subject, examples(subject), HESSIAN)(whole)
        with _progress(subject, HESSIAN) as show:
            subject.found[HESSIAN] = probe.extreme(
                operator, subject.config.run.curvature, seed(subject), "largest", show
            )
    found: LanczosResult = subject.found[HESSIAN]
    return found


def seed(subject: Subject) -> int:
    return subject.config.run.curvature.seed_in(subject.config.run.seed)


def examples(subject: Subject) -> sample.Sample:
    """The training examples that the curvature of this subject is measured on."""
    index = subject.assembly.task.dataset.index(TRAIN_SPLIT)
    return sample.draw(index, subject.config.run.curvature.number_of_examples, seed(subject))


def operators_at(subject: Subject, drawn: sample.Sample, kind: str) -> probe.OperatorOf:
    """The operators of the model's blocks over the drawn examples, at the subject's weights."""
    assembly = subject.assembly
    task, start = assembly.task, assembly.start
    operators = assembly.session.cached(
        ("curvature", id(task), repr(start.build_model.identity())),
        lambda: Operators(task, start.build_model, start.names[0]),
    )
    return functools.partial(
        operators.at,
        assembly.executor,
        subject.weights,
        drawn,
        kind=kind,
        split=TRAIN_SPLIT,
        micro_batch=subject.config.run.curvature.micro_batch,
    )


@contextlib.contextmanager
def _progress(subject: Subject, kind: str) -> Iterator[Callable[[int, float, float], None]]:
    """A line on stderr over the Lanczos iterations."""
    progress = Progress(kind, subject.config.run.curvature.iterations, stream=sys.stderr)

    def show(iteration: int, value: float, residual: float) -> None:
        progress.update(iteration, f"top {value:.5g}, relative residual below {residual:.1e}")

    try:
        yield show
    except NotFinite as error:
        raise UserError(f"--probes={kind}: {error}") from error
    progress.close()
