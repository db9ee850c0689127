"""The curvature of the loss at given weights: eigenvalues, density and trace; along a run, too."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fed_pretrain.clients.local_work import TRAIN_SPLIT
from fed_pretrain.curvature import curvature_config, lanczos, spectrum
from fed_pretrain.curvature.curvature_config import EACH, Block, CurvatureConfig
from fed_pretrain.curvature.lanczos import LanczosResult
from fed_pretrain.curvature.linear_operator import NotFinite, Operator
from fed_pretrain.models.weights import Weights
from fed_pretrain.probes.probe import Content, Probe, RoundLog, RoundObservation, RoundVectors
from fed_pretrain.probes.subject import Subject
from groundwork.errors import UserError
from groundwork.progress import Progress
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fed_pretrain.curvature.loss_operators import CurvatureOperator, Operators
    from fed_pretrain.curvature.sample import Sample

UNIT = "loss (nats a position) per squared weight"
HESSIAN = "hessian"

OperatorOf = Callable[[Block], "CurvatureOperator"]
OnIteration = Callable[[int, float, float], None]


class Curvature(Probe):
    """What the three operators share; the operator has the probe's name."""

    options = (CurvatureConfig,)

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        curvature_config.chosen(subject.names, subject.option(CurvatureConfig).layers)
        operators(subject)

    def measure(self) -> Content:
        subject, config = self.subject, self.subject.option(CurvatureConfig)
        drawn = examples(subject)

        def keep(top: LanczosResult) -> None:
            if config.layers in ("", EACH):  # eigenvectors of the whole model
                subject.eigenpairs[self.name] = top

        operator_of = operators_at(subject, subject.model.weights, drawn, self.name)
        with _progress(subject, self.name) as show:
            content = of_blocks(
                operator_of, subject.names, drawn, config, seed(subject), show, keep
            )
        return {**content, "operator": self.name}

    @staticmethod
    def draw(content: Mapping[str, Json]) -> Figure | None:
        """None when neither density nor layers were asked for."""
        from fed_pretrain.probes import drawing

        parts = (("density", _draw_density), ("layers", _draw_layers))
        drawn = [draw for part, draw in parts if part in content]
        if not drawn:
            return None
        made, plots = drawing.panels(1, len(drawn))
        for draw, plot in zip(drawn, plots[0], strict=True):
            draw(content, plot)
        return made


class Hessian(Curvature):
    """`top_eigenvalue` at the start and in the probed rounds; details in `probes/hessian.jsonl`.

    Every round looks at the same examples, those that analysis of the start looks at, and begins
    at the eigenvectors of the probed round before, which are kept for a run that is resumed.
    """

    name = HESSIAN
    help = "top eigenvalues of the training loss, whole or by layer; density and trace by flags"
    file = "eigenvalues"
    in_rounds = True

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._log = RoundLog(subject.folder / "hessian.jsonl")
        self._vectors = RoundVectors(subject.folder, self.name)

    def at_start(self, weights: Weights) -> dict[str, float]:
        return self._row(0, weights)

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        return self._row(observation.round_number, observation.after) if due else {}

    def forget_after(self, round_number: int) -> None:
        self._log.forget_after(round_number)
        self._vectors.forget_after(round_number)

    def _row(self, round_number: int, weights: Weights) -> dict[str, float]:
        subject, drawn = self.subject, self._drawn
        operator_of = operators_at(subject, weights, drawn, HESSIAN)
        config = subject.option(CurvatureConfig)

        def keep(top: LanczosResult) -> None:
            self._vectors.save(round_number, [pair.vector for pair in top.pairs])

        try:
            content = of_blocks(
                operator_of,
                subject.names,
                drawn,
                config,
                seed(subject),
                on_top=keep,
                near=self._vectors.newest(),
            )
        except NotFinite as reason:
            self._log.append({"round": round_number, "top": None, "undefined": str(reason)})
            return {"top_eigenvalue": float("nan")}
        self._log.append({"round": round_number, **content})
        return {"top_eigenvalue": content["top"]["eigenvalues"][0]}

    @functools.cached_property
    def _drawn(self) -> Sample:
        return examples(self.subject)


class GaussNewton(Curvature):
    name: ClassVar[str] = "gauss_newton"
    help = "the same of the Gauss-Newton matrix"


class Fisher(Curvature):
    name: ClassVar[str] = "fisher"
    help = "the same of the empirical Fisher matrix"


def seed(subject: Subject) -> int:
    """Decides the draw and the start vectors."""
    return subject.option(CurvatureConfig).seed_in(subject.seed)


def examples(subject: Subject) -> Sample:
    """The training examples that the curvature of this subject is measured on."""
    from fed_pretrain.curvature import sample

    index = subject.task.dataset.index(TRAIN_SPLIT)
    wanted = subject.option(CurvatureConfig).number_of_examples
    return sample.draw(index, wanted, seed(subject))


def operators(subject: Subject) -> Operators:
    """Of the subject's model, compiled once; a model that has no curvature is refused."""
    from fed_pretrain.curvature.loss_operators import Operators

    return subject.cached(
        "curvature", lambda: Operators(subject.task, subject.build_model, subject.names)
    )


def operators_at(subject: Subject, weights: Weights, drawn: Sample, kind: str) -> OperatorOf:
    """The operators of the model's blocks over the drawn examples."""
    return functools.partial(
        operators(subject).at,
        subject.task.reader(TRAIN_SPLIT),
        subject.executor,
        weights,
        drawn,
        kind=kind,
        micro_batch=subject.option(CurvatureConfig).micro_batch,
    )


def top_of_hessian(subject: Subject) -> LanczosResult:
    """Of the whole model: what a probe found in this call, or the same computed now."""
    if HESSIAN not in subject.eigenpairs:
        whole = curvature_config.chosen(subject.names, "")
        operator_of = operators_at(subject, subject.model.weights, examples(subject), HESSIAN)
        with _progress(subject, HESSIAN) as show:
            subject.eigenpairs[HESSIAN] = extreme(
                operator_of(whole), subject.option(CurvatureConfig), seed(subject), "largest", show
            )
    return subject.eigenpairs[HESSIAN]


@contextlib.contextmanager
def _progress(subject: Subject, kind: str) -> Iterator[Callable[[int, float, float], None]]:
    """A line on stderr over the Lanczos iterations."""
    progress = Progress(kind, subject.option(CurvatureConfig).iterations, stream=sys.stderr)

    def show(iteration: int, value: float, residual: float) -> None:
        progress.update(iteration, f"top {value:.5g}, relative residual below {residual:.1e}")

    try:
        yield show
    except NotFinite as error:
        raise UserError(f"--probes={kind}: {error}") from error
    progress.close()


def of_blocks(
    operator_of: OperatorOf,
    names: Sequence[str],
    drawn: Sample,
    config: CurvatureConfig,
    seed: int,
    on_iteration: OnIteration | None = None,
    on_top: Callable[[LanczosResult], None] | None = None,
    near: Sequence[np.ndarray] = (),
) -> Content:
    """The content of eigenvalues.json, without provenance; `on_top` receives the eigenvectors.

    `names` are those of the model's trainable tensors; `near`: see lanczos.eigenpairs.
    """
    block = curvature_config.chosen(names, config.layers)
    operator = operator_of(block)
    top = extreme(operator, config, seed, "largest", on_iteration, near)
    if on_top is not None:
        on_top(top)
    content: Content = {"operator": "hessian", "unit": UNIT, "top": _as_json(top)}
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
    near: Sequence[np.ndarray] = (),
) -> LanczosResult:
    """The eigenpairs at one end of the spectrum, as the config asks for them."""
    return lanczos.eigenpairs(
        operator,
        config.eigenvalues,
        end,
        seed=seed,
        max_iterations=config.iterations,
        tolerance=config.tolerance,
        on_iteration=on_iteration,
        near=near,
    )


def _layer(operator: Operator, block: Block, config: CurvatureConfig, seed: int) -> Content:
    top = _as_json(extreme(operator, config, seed, "largest"))
    return {"layer": block.name, "parameters": operator.size, **top}


def _power_iteration(operator: Operator, config: CurvatureConfig, seed: int) -> Content:
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


def _density(operator: Operator, vectors: int, seed: int) -> Content:
    density = spectrum.spectral_density(operator, vectors=vectors, seed=seed)
    return {
        "nodes": [nodes.tolist() for nodes in density.nodes],
        "weights": [weights.tolist() for weights in density.weights],
    }


def _trace(operator: Operator, samples: int, seed: int) -> Content:
    estimate = spectrum.hutchinson_trace(operator, samples=samples, seed=seed)
    return {
        "trace": estimate.trace,
        "standard_error": estimate.standard_error,
        "samples": estimate.samples,
    }


def _as_json(result: LanczosResult) -> Content:
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


def _draw_density(content: Mapping[str, Json], plot: Axes) -> None:
    from fed_pretrain.probes import drawing

    nodes = [np.array(one) for one in content["density"]["nodes"]]
    weights = [np.array(one) for one in content["density"]["weights"]]
    low, high = min(n.min() for n in nodes), max(n.max() for n in nodes)
    width = max(high - low, 1e-12) / 100
    grid = np.linspace(low - 5 * width, high + 5 * width, 1000)
    values = spectrum.SpectralDensity(tuple(nodes), tuple(weights), 0, 0).on_grid(grid, width)
    plot.semilogy(grid, np.maximum(values, 1e-8 / width), color=drawing.COLOURS[0])
    title = f"spectral density, {content['operator']}"
    plot.set(title=title, xlabel="eigenvalue", ylabel="density")


def _draw_layers(content: Mapping[str, Json], plot: Axes) -> None:
    """Hollow bars did not converge; the line is the whole model's."""
    from fed_pretrain.probes import drawing

    layers = content["layers"]
    tops = drawing.numbers([layer["eigenvalues"][0] for layer in layers])
    bars = plot.barh([layer["layer"] for layer in layers], tops, color=drawing.COLOURS[0])
    for bar, layer in zip(bars, layers, strict=True):
        bar.set(fill=layer["converged"], edgecolor=drawing.COLOURS[0])
    plot.axvline(content["top"]["eigenvalues"][0], color=drawing.COLOURS[1], label="whole model")
    plot.invert_yaxis()
    plot.legend()
    plot.set(title=f"blocks of the {content['operator']}", xlabel="top eigenvalue", ylabel="layer")
