"""The measurements of `analyze` by name."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from data_prep.errors import UserError
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
from fed_pretrain.probes.figures import baselines as baseline_figures
from fed_pretrain.probes.figures import cohort
from fed_pretrain.probes.figures import curvature as curvature_figures
from fed_pretrain.probes.figures import distances as distance_figures
from fed_pretrain.probes.figures import landscape as landscape_figures
from fed_pretrain.probes.figures import misalignment as misalignment_figures

Content = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Writes FILE.json and, where `draw` finds something to show in it, FILE.png."""

    name: str
    measure: Callable[[Subject], Content]
    draw: Callable[[Mapping[str, Any]], Figure | None] | None = None
    file_name: str = ""

    @property
    def file(self) -> str:
        return self.file_name or self.name


_ALL = (
    Measurement("hessian", curvature.of_kind("hessian"), curvature_figures.spectrum, "eigenvalues"),
    Measurement("gauss_newton", curvature.of_kind("gauss_newton"), curvature_figures.spectrum),
    Measurement("fisher", curvature.of_kind("fisher"), curvature_figures.spectrum),
    Measurement("clients", client_curvature.measure, cohort.eigenvectors),
    Measurement("alignment", alignment.measure, cohort.updates),
    Measurement("drift", drift.measure, cohort.drift),
    Measurement("misalignment", misalignment.measure, misalignment_figures.shares),
    Measurement("landscape", landscape.line, landscape_figures.line),
    Measurement("plane", landscape.through_three, landscape_figures.plane),
    Measurement("eigenvector", eigenvector.measure, landscape_figures.along_eigenvector),
    Measurement("distances", distances.measure, distance_figures.of_run),
    Measurement("loss", loss.measure),
    Measurement("baselines", baselines.measure, baseline_figures.bars),
)


def names() -> list[str]:
    return [measurement.name for measurement in _ALL]


def chosen(wanted: Sequence[str]) -> list[Measurement]:
    """The measurements of these names, in that order."""
    known = {measurement.name: measurement for measurement in _ALL}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UserError(f"--probes: no probe {unknown[0]!r}; there are {', '.join(known)}")
    if not wanted:
        raise UserError(f"--probes is empty; there are {', '.join(known)}")
    return [known[name] for name in wanted]
