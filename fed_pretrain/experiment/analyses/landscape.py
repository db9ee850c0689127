"""The loss around the subject: on the line to another model, and on the plane through three."""

import sys
from collections.abc import Callable
from typing import Any

from fed_pretrain.experiment.analyses import models
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.assembly.assemble import TRAIN_SPLIT
from fed_pretrain.probes import landscape, plane
from fed_pretrain.tasks.evaluation import GlobalEvaluation
from groundwork.errors import UserError
from groundwork.progress import Progress

_UNIT = "loss in nats a position, accuracy as a share"
Evaluate = Callable[[Any], dict[str, float]]


def line(subject: Subject) -> dict[str, Any]:
    """The content of landscape.json: from the start, or from another run's weights, to these."""
    config = subject.config.landscape
    if subject.config.other is not None:
        first = models.other(subject, subject.config.other)
    elif subject.kept is not None:
        first = models.start(subject)
    else:
        raise UserError("--probes=landscape needs two ends: give --run=DIR (and --other_run=DIR)")
    ends = (first.weights, subject.weights)
    splits = {
        split: landscape.interpolate(*ends, evaluate, config.points, config.beyond)
        for split, evaluate in _evaluations(subject).items()
    }
    return {
        "first": first.name,
        "second": models.own(subject).name,
        "splits": splits,
        "examples": config.examples,
        "unit": f"{_UNIT}; shares of the way from first to second;"
        " barrier: rise of the loss above the straight line between the ends",
    }


def through_three(subject: Subject) -> dict[str, Any]:
    """The content of plane.json: through the start (or a third run), another run, and these."""
    config = subject.config
    if subject.kept is None or config.other is None:
        raise UserError(
            "--probes=plane goes through three models: give --run=DIR and --other_run=DIR; the"
            " third is the start of --run, or --third_run=DIR"
        )
    third = models.other(subject, config.third) if config.third else models.start(subject)
    corners = [third, models.own(subject), models.other(subject, config.other)]
    grid = config.landscape.grid
    progress = Progress("plane", grid * grid, stream=sys.stderr)
    content = plane.measure(
        plane.through(*(model.weights for model in corners)),
        _evaluations(subject),
        grid,
        lambda number: progress.update(number, "points"),
    )
    progress.close()
    return {
        **content,
        "models": [model.name for model in corners],
        "start_digests": [model.start_digest for model in corners],
        "examples": config.landscape.examples,
        "unit": f"{_UNIT}; x and y: Euclidean distance of the trainable weights",
    }


def _evaluations(subject: Subject) -> dict[str, Evaluate]:
    """The pooled loss and accuracy of a draw of each split."""
    assembly = subject.assembly
    return {
        split: GlobalEvaluation(
            assembly.task,
            assembly.start.build_model,
            split,
            max_examples=subject.config.landscape.examples,
            seed=subject.config.run.seed,
            device=assembly.executor.server_device,
        )
        for split in (TRAIN_SPLIT, assembly.config.evaluation.eval_split)
    }
