"""The training loss along the top Hessian eigenvector, beside the parabola of its eigenvalue."""

import sys
from typing import Any

import numpy as np

from fed_pretrain.curvature import sample
from fed_pretrain.experiment.analyses import curvature
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.assembly.assemble import TRAIN_SPLIT
from fed_pretrain.models.weights import FlatVectors
from fed_pretrain.probes import direction
from groundwork.errors import UserError
from groundwork.progress import Progress


def measure(subject: Subject) -> dict[str, Any]:
    """The content of eigenvector.json, on the examples that the eigenvalue was measured on."""
    config, assembly = subject.config.landscape, subject.assembly
    top = curvature.top_of_hessian(subject)
    pair = top.pairs[0]
    if not pair.value:
        raise UserError("--probes=eigenvector: the Hessian of these weights is zero")
    drawn = curvature.examples(subject)
    computation = assembly.session.cached(
        ("loss and slope", id(assembly.task), repr(assembly.start.build_model.identity())),
        lambda: direction.loss_and_slope(assembly.task, assembly.start.build_model),
    )
    clients = sample.inputs(
        assembly.task.reader(TRAIN_SPLIT), drawn, subject.config.run.curvature.micro_batch
    )
    vector = FlatVectors(subject.weights.trainable).split(pair.vector)

    def look(distances: list[float], progress: Progress | None = None) -> dict[str, Any]:
        return direction.along(
            assembly.executor,
            computation,
            subject.weights,
            vector,
            clients,
            distances,
            (lambda number: progress.update(number, "points")) if progress else lambda number: None,
        )

    loss = look([0.0])["loss"][0]
    reach = config.reach * direction.reach(loss, pair.value)
    points = 2 * config.points - 1
    progress = Progress("eigenvector", points, stream=sys.stderr)
    content = look(np.linspace(-reach, reach, points).tolist(), progress)
    progress.close()
    return {
        **direction.beside_quadratic(content, pair.value),
        "eigenvalue": pair.value,
        "residual": pair.residual,
        "converged": top.converged,
        "examples": drawn.examples,
        "clients": len(drawn.clients),
        "unit": "loss in nats a position, over the Euclidean distance moved along the unit"
        " eigenvector; departure: |loss - parabola| as a share of the parabola's largest rise",
    }
