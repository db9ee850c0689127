"""Probes of a start before training, or of a finished or running run, after the fact."""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_prep import atomic
from data_prep.errors import UserError
from data_prep.progress import Progress
from fed_pretrain.experiment import evaluations, workdir
from fed_pretrain.experiment.assembly import TRAIN_SPLIT, Assembly, assemble
from fed_pretrain.experiment.config import RunConfig
from fed_pretrain.experiment.server_state import ModelArrays
from fed_pretrain.experiment.session import Session, shared
from fed_pretrain.probes.curvature import probe as curvature
from fed_pretrain.probes.curvature import sample
from fed_pretrain.probes.curvature.loss_curvature import curvature_computation


@dataclasses.dataclass(frozen=True)
class AnalyzeConfig:
    """`run` describes the start to look at; `probes` names what to measure."""

    run: RunConfig
    probes: tuple[str, ...]
    curvature: curvature.CurvatureConfig


def analyze(config: AnalyzeConfig, session: Session | None = None) -> Path:
    """Writes `probes/NAME.json` below the work directory, and SUCCESS last."""
    unknown = [name for name in config.probes if name not in _PROBES]
    if unknown:
        raise UserError(f"--probes: no probe {unknown[0]!r}; there are {', '.join(_PROBES)}")
    folder = workdir.create(config.run.workdir)
    assembly = assemble(config.run, session or shared())
    weights = ModelArrays(*assembly.start.weights)
    written = []
    for name in config.probes:
        content = _PROBES[name](config, assembly, weights)
        path = folder / "probes" / _FILES[name]
        atomic.write_json(path, {**content, "provenance": provenance(assembly)})
        written.append(f"probes/{_FILES[name]}")
    workdir.write_success(folder, workdir.flags_digest(config.run), written, {})
    return folder


def provenance(assembly: Assembly) -> dict[str, Any]:
    """What the numbers are of."""
    return {
        **workdir.model_facts(assembly),
        "start_digest": assembly.start.digest,
        "seed": assembly.config.seed,
        "where": "the start, before any update",
    }


def _hessian(config: AnalyzeConfig, assembly: Assembly, weights: ModelArrays) -> dict[str, Any]:
    task, build_model = assembly.task, assembly.start.build_model
    drawn = sample.draw(
        task.dataset.index(TRAIN_SPLIT), config.curvature.examples, config.curvature.seed
    )
    batch = sample.batch_size_for(drawn, task.kind != "text")
    computation = assembly.session.cached(
        ("hessian", id(task), json.dumps(build_model.identity(), default=str), batch),
        lambda: curvature_computation(task, build_model, batch),
    )
    operator = curvature.operator_for(
        task, build_model, assembly.executor, weights, drawn, computation=computation
    )
    progress = Progress("hessian", config.curvature.iterations, stream=sys.stderr)

    def show(iteration: int, value: float, residual: float) -> None:
        progress.update(iteration, f"top {value:.5g}, relative residual below {residual:.1e}")

    content = curvature.measure(operator, drawn, config.curvature, show)
    progress.close()
    return content


def _loss(config: AnalyzeConfig, assembly: Assembly, weights: ModelArrays) -> dict[str, Any]:
    return evaluations.Evaluations(assembly).row(weights, [])


Measure = Callable[[AnalyzeConfig, Assembly, ModelArrays], dict[str, Any]]
_PROBES: dict[str, Measure] = {"hessian": _hessian, "loss": _loss}
_FILES = {"hessian": "eigenvalues.json", "loss": "loss.json"}
