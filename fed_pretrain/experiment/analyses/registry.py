"""The measurements of `analyze` by name."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from fed_pretrain.experiment.analyses import (
    alignment,
    baselines,
    client_curvature,
    curvature,
    distances,
    drift,
    eigenvector,
    landscape,
    loss,
    misalignment,
)
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.probes import names
from fed_pretrain.probes.figures import baselines as baseline_figures
from fed_pretrain.probes.figures import clients as client_figures
from fed_pretrain.probes.figures import cohort
from fed_pretrain.probes.figures import curvature as curvature_figures
from fed_pretrain.probes.figures import distances as distance_figures
from fed_pretrain.probes.figures import landscape as landscape_figures
from fed_pretrain.probes.figures import misalignment as misalignment_figures
from groundwork.errors import UserError

Content = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Writes FILE.json and, where `draw` finds something to show in it, FILE.png."""

    name: str
    tells: str
    measure: Callable[[Subject], Content]
    draw: Callable[[Mapping[str, Any]], Figure | None] | None = None
    file_name: str = ""

    @property
    def file(self) -> str:
        return self.file_name or self.name


ALL = (
    Measurement(
        "hessian",
        "top eigenvalues of the training loss, whole or by layer; density and trace by flags",
        curvature.of_kind("hessian"),
        curvature_figures.spectrum,
        "eigenvalues",
    ),
    Measurement(
        "gauss_newton",
        "the same of the Gauss-Newton matrix",
        curvature.of_kind("gauss_newton"),
        curvature_figures.spectrum,
    ),
    Measurement(
        "fisher",
        "the same of the empirical Fisher matrix",
        curvature.of_kind("fisher"),
        curvature_figures.spectrum,
    ),
    Measurement(
        "clients",
        "each client's own top eigenvalue, and the angles between their eigenvectors",
        client_curvature.measure,
        cohort.eigenvectors,
    ),
    Measurement(
        "eigenvector",
        "the loss along the top eigenvector, beside the parabola of its eigenvalue",
        eigenvector.measure,
        landscape_figures.along_eigenvector,
    ),
    Measurement(
        "alignment",
        "gradient diversity and the cosines between the updates of a cohort",
        alignment.measure,
        cohort.updates,
    ),
    Measurement(
        "drift",
        "how far local models part, and what averaging them gains",
        drift.measure,
        cohort.drift,
    ),
    Measurement(
        "misalignment",
        "share of misaligned filters by layer and round (our surrogate of the definition)",
        misalignment.measure,
        misalignment_figures.shares,
    ),
    Measurement(
        "distances",
        "to the start, to the final weights, and to another run's solution",
        distances.measure,
        distance_figures.of_run,
    ),
    Measurement(
        "landscape",
        "the loss on the line between two models, and its barrier",
        landscape.line,
        landscape_figures.line,
    ),
    Measurement(
        "plane",
        "the loss on the plane through three models",
        landscape.through_three,
        landscape_figures.plane,
    ),
    Measurement(
        "loss",
        "loss and accuracy of the weights as they are; by client with `--eval_clients`",
        loss.measure,
        client_figures.served,
    ),
    Measurement(
        "baselines",
        "fine-tuning without averaging and central training, with the bytes each would send",
        baselines.measure,
        baseline_figures.bars,
    ),
)


def chosen(wanted: Sequence[str]) -> list[Measurement]:
    """The measurements of these names, in that order."""
    known = {measurement.name: measurement for measurement in ALL}
    if not wanted:
        raise UserError(f"--probes is empty; there are {', '.join(known)}")
    return [known[name] for name in names.listed(",".join(wanted), names.OF_AN_ANALYSIS)]
