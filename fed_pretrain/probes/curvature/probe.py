"""The curvature of the loss at given weights: eigenvalues, density and trace, as JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fed_pretrain.executors.api import Executor
from fed_pretrain.probes.curvature import lanczos, sample, spectral_density, trace
from fed_pretrain.probes.curvature.loss_curvature import (
    CurvatureOperator,
    check_model,
    curvature_computation,
)
from fed_pretrain.probes.probe import Weights

UNIT = "loss (nats a position) per squared weight"


@dataclass(frozen=True)
class CurvatureConfig:
    """`examples` None takes every training example."""

    examples: int | None = 2000
    eigenvalues: int = 1
    smallest: bool = False
    iterations: int = 100
    tolerance: float = 1e-3
    density_vectors: int = 0
    trace_samples: int = 0
    seed: int = 0


def operator_for(
    task: Any,
    build_model: Callable[[], Any],
    executor: Executor,
    weights: Weights,
    drawn: sample.Sample,
    split: str = "train",
    computation: Any = None,
    kind: str = "hessian",
    batch: int | None = None,
) -> CurvatureOperator:
    """The operator over the drawn examples; `computation` reuses one built before."""
    check_model(build_model())
    batch = batch or sample.micro_batch(task.reader(split), drawn, task.kind != "text")
    computation = computation or curvature_computation(task, build_model, batch, kind)
    clients = sample.inputs(task.reader(split), drawn, batch)
    return CurvatureOperator(executor, computation, weights, clients)


def measure(
    operator: CurvatureOperator,
    drawn: sample.Sample,
    config: CurvatureConfig,
    on_iteration: Callable[[int, float, float], None] | None = None,
    on_top: Callable[[lanczos.LanczosResult], None] | None = None,
) -> dict[str, Any]:
    """The content of eigenvalues.json, without provenance; `on_top` is told the eigenvectors."""
    top = extreme(operator, config, "largest", on_iteration)
    if on_top is not None:
        on_top(top)
    content: dict[str, Any] = {"operator": "hessian", "unit": UNIT, "top": _as_json(top)}
    if config.smallest:
        content["bottom"] = _as_json(extreme(operator, config, "smallest", on_iteration))
    if config.density_vectors:
        density = spectral_density.spectral_density(
            operator, vectors=config.density_vectors, seed=config.seed
        )
        content["density"] = {
            "nodes": [nodes.tolist() for nodes in density.nodes],
            "weights": [weights.tolist() for weights in density.weights],
        }
    if config.trace_samples:
        estimate = trace.hutchinson_trace(operator, samples=config.trace_samples, seed=config.seed)
        content["trace"] = {
            "trace": estimate.trace,
            "standard_error": estimate.standard_error,
            "samples": estimate.samples,
        }
    content["examples"] = drawn.examples
    content["positions"] = operator.positions
    content["clients"] = len(drawn.clients)
    content["loss"] = operator.loss
    content["seed"] = config.seed
    content["parameters"] = operator.size
    return content


def extreme(
    operator: CurvatureOperator,
    config: CurvatureConfig,
    end: lanczos.End,
    on_iteration: Callable[[int, float, float], None] | None = None,
) -> lanczos.LanczosResult:
    """The eigenpairs at one end of the spectrum, as the config wants them."""
    return lanczos.eigenpairs(
        operator,
        config.eigenvalues,
        end,
        seed=config.seed,
        max_iterations=config.iterations,
        tolerance=config.tolerance,
        on_iteration=on_iteration,
    )


def _as_json(result: lanczos.LanczosResult) -> dict[str, Any]:
    return {
        "eigenvalues": [pair.value for pair in result.pairs],
        "residuals": [pair.residual for pair in result.pairs],
        "relative_residuals": [float(np.float64(p.relative_residual)) for p in result.pairs],
        "converged": result.converged,
        "iterations": result.iterations,
        "matvecs": result.matvecs,
    }
