"""The curvature of the loss at given weights: eigenvalues, density and trace, as JSON."""

from collections.abc import Callable, Sequence
from typing import Any

from fed_pretrain.curvature import curvature_config, lanczos, sample, spectrum
from fed_pretrain.curvature.curvature_config import EACH, Block, CurvatureConfig
from fed_pretrain.curvature.linear_operator import Operator
from fed_pretrain.curvature.loss_operators import CurvatureOperator

UNIT = "loss (nats a position) per squared weight"

OperatorOf = Callable[[Block], CurvatureOperator]
OnIteration = Callable[[int, float, float], None]


def measure(
    operator_of: OperatorOf,
    names: Sequence[str],
    drawn: sample.Sample,
    config: CurvatureConfig,
    seed: int,
    on_iteration: OnIteration | None = None,
    on_top: Callable[[lanczos.LanczosResult], None] | None = None,
) -> dict[str, Any]:
    """The content of eigenvalues.json, without provenance; `on_top` is told the eigenvectors.

    `names` are those of the model's trainable tensors.
    """
    block = curvature_config.chosen(names, config.layers)
    operator = operator_of(block)
    top = extreme(operator, config, seed, "largest", on_iteration)
    if on_top is not None:
        on_top(top)
    content: dict[str, Any] = {"operator": "hessian", "unit": UNIT, "top": _as_json(top)}
    if config.smallest:
        content["bottom"] = _as_json(extreme(operator, config, seed, "smallest", on_iteration))
    if config.power_iteration:
        content["power_iteration"] = _power_iteration(operator, config, seed)
    if config.density_vectors:
        content["density"] = _density(operator, config.density_vectors, seed)
    if config.trace_samples:
        content["trace"] = _trace(operator, config.trace_samples, seed)
    if config.layers == EACH:
        each = curvature_config.of_each_layer(names)
        content["layers"] = [_layer(operator_of(one), one, config, seed) for one in each]
    return content | {
        "block": block.name,
        "tensors": list(block.tensors),
        "parameters": operator.size,
        "examples": drawn.examples,
        "positions": operator.scored,
        "clients": len(drawn.clients),
        "loss": operator.loss,
        "seed": seed,
    }


def extreme(
    operator: Operator,
    config: CurvatureConfig,
    seed: int,
    end: lanczos.End,
    on_iteration: OnIteration | None = None,
) -> lanczos.LanczosResult:
    """The eigenpairs at one end of the spectrum, as the config wants them."""
    return lanczos.eigenpairs(
        operator,
        config.eigenvalues,
        end,
        seed=seed,
        max_iterations=config.iterations,
        tolerance=config.tolerance,
        on_iteration=on_iteration,
    )


def _layer(operator: Operator, block: Block, config: CurvatureConfig, seed: int) -> dict[str, Any]:
    top = _as_json(extreme(operator, config, seed, "largest"))
    return {"layer": block.name, "parameters": operator.size, **top}


def _power_iteration(operator: Operator, config: CurvatureConfig, seed: int) -> dict[str, Any]:
    result = lanczos.dominant_eigenpair(
        operator, seed=seed, max_iterations=config.iterations, tolerance=config.tolerance
    )
    return {
        "eigenvalue": result.pair.value,
        "residual": result.pair.residual,
        "relative_residual": result.pair.relative_residual,
        "converged": result.converged,
        "matvecs": result.matvecs,
    }


def _density(operator: Operator, vectors: int, seed: int) -> dict[str, Any]:
    density = spectrum.spectral_density(operator, vectors=vectors, seed=seed)
    return {
        "nodes": [nodes.tolist() for nodes in density.nodes],
        "weights": [weights.tolist() for weights in density.weights],
    }


def _trace(operator: Operator, samples: int, seed: int) -> dict[str, Any]:
    estimate = spectrum.hutchinson_trace(operator, samples=samples, seed=seed)
    return {
        "trace": estimate.trace,
        "standard_error": estimate.standard_error,
        "samples": estimate.samples,
    }


def _as_json(result: lanczos.LanczosResult) -> dict[str, Any]:
    """Of a zero eigenvalue the relative residual is undefined: null, and `undefined` says why."""
    zero = any(pair.relative_residual is None for pair in result.pairs)
    reason = {"undefined": "relative residual of a zero eigenvalue"} if zero else {}
    return {
        "eigenvalues": [pair.value for pair in result.pairs],
        "residuals": [pair.residual for pair in result.pairs],
        "relative_residuals": [pair.relative_residual for pair in result.pairs],
        "converged": result.converged,
        "iterations": result.iterations,
        "matvecs": result.matvecs,
        **reason,
    }
