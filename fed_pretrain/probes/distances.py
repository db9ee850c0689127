"""L2 distances of the trainable weights: to the start, to the last round, and between two runs.

For two solutions reached from one start, with d_1 = w_1 - w_0 and d_2 = w_2 - w_0: apart
||w_1 - w_2||, relative to (||d_1|| + ||d_2||) / 2, and the angle between d_1 and d_2; over all
trainable weights and layer by layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.models.weights import Weights
from fed_pretrain.probes.probe import Content, Probe, RoundObservation
from fed_pretrain.probes.subject import Model, Snapshots
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tensors = Sequence["np.ndarray"]
_MOST_LAYERS = 24
_UNIT = (
    "Euclidean norm over all trainable weights; relative: apart as a share of the mean distance"
    " from the start; angle in degrees between the two displacements from the start"
)


class Distances(Probe):
    """`distance_to_start` and `distance_moved` (by a round) every round; more at a run's end."""

    name = "distance"
    help = "to the start, to the final weights, and to another run's solution"
    file = "distances"
    in_rounds = True
    of_models_alone = True
    of_snapshots = True
    needs = ("run",)
    asks_for = "compares weights of a run: give --run=DIR"

    def at_start(self, weights: Weights) -> dict[str, float]:
        return {"distance_to_start": distance(weights.trainable, self._start)}

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        after = observation.after.trainable
        return {
            "distance_to_start": distance(after, self._start),
            "distance_moved": distance(after, observation.before.trainable),
        }

    def at_end(self, snapshots: Snapshots) -> Content:
        return series(snapshots, self._start)

    def measure(self) -> Content:
        """`between` is there with --other_run."""
        content = series(self.subject.snapshots, self._start)
        other = self.subject.others.get("other_run")
        if other is not None:
            content["between"] = self._between(other)
        return {**content, "unit": _UNIT}

    @property
    def _start(self) -> Tensors:
        return self.subject.start.weights.trainable

    def _between(self, second: Model) -> Content:
        first = self.subject.model
        same = first.start_digest == second.start_digest
        tensors = (self._start, first.weights.trainable, second.weights.trainable)
        return {
            **compare(*tensors, self.subject.names),
            "first": first.name,
            "second": second.name,
            "same_start": same,
            "start_digests": [first.start_digest, second.start_digest],
            "start": "both runs began with these weights"
            if same
            else "the start of first; second began elsewhere, but is measured from there too",
        }

    @staticmethod
    def draw(content: Mapping[str, Json]) -> Figure:
        from fed_pretrain.probes import drawing

        if "between" in content:
            return _draw_between(content["between"])
        made, plot = drawing.axes("distance of the weights", "round", "Euclidean distance")
        for colour, name, label in zip(
            drawing.COLOURS,
            ("to_start", "to_final"),
            ("to the start", "to the last round"),
            strict=False,
        ):
            plot.plot(content["rounds"], content[name], marker=".", color=colour, label=label)
        drawing.whole_numbers(plot.xaxis)
        plot.legend()
        return made


def distance(first: Tensors, second: Tensors) -> float:
    """||x - y|| over all tensors, accumulated in float64."""
    total = 0.0
    for one, other in zip(first, second, strict=True):
        difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
        total += float(np.vdot(difference, difference))
    return float(np.sqrt(total))


def series(snapshots: Snapshots, start: Tensors) -> Content:
    """The distances of every snapshot to the start and to the last snapshot."""
    last_round, read_last = snapshots[-1]
    final = read_last().trainable
    rows = [(number, read().trainable) for number, read in snapshots]
    return {
        "rounds": [number for number, _ in rows],
        "to_start": [distance(weights, start) for _, weights in rows],
        "to_final": [distance(weights, final) for _, weights in rows],
        "unit": "Euclidean norm over all trainable weights",
        "final": f"weights after round {last_round}, the last one, not the best one",
    }


def compare(start: Tensors, first: Tensors, second: Tensors, names: Sequence[str]) -> Content:
    """`names` are LAYER/ATTRIBUTE, of the tensors in order. What is undefined is NaN."""
    sums = [_products(*tensors) for tensors in zip(start, first, second, strict=True)]
    layers: dict[str, np.ndarray] = {}
    for name, one in zip(names, sums, strict=True):
        layer = name.rsplit("/", 1)[0]
        layers[layer] = layers.get(layer, np.zeros(4)) + one
    return {
        "whole": _figures(sum(sums, np.zeros(4))),
        "layers": [{"layer": layer, **_figures(total)} for layer, total in layers.items()],
    }


def _products(start: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """||d_1||^2, ||d_2||^2, <d_1, d_2>, ||d_1 - d_2||^2 of a tensor, in float64."""
    one = np.asarray(first, np.float64) - np.asarray(start, np.float64)
    other = np.asarray(second, np.float64) - np.asarray(start, np.float64)
    apart = one - other
    return np.array(
        [np.vdot(one, one), np.vdot(other, other), np.vdot(one, other), np.vdot(apart, apart)]
    )


def _figures(products: np.ndarray) -> dict[str, float]:
    first, second, apart = (float(np.sqrt(products[index])) for index in (0, 1, 3))
    cosine = float(products[2]) / (first * second) if first and second else float("nan")
    mean = (first + second) / 2
    return {
        "apart": apart,
        "first_from_start": first,
        "second_from_start": second,
        "relative": apart / mean if mean else float("nan"),
        "angle_degrees": float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))),
    }


def _draw_between(content: Mapping[str, Json]) -> Figure:
    """The triangle of start and solutions, to scale; and the angle layer by layer."""
    from fed_pretrain.probes import drawing

    layers = content["layers"]
    made, plots = drawing.panels(1, 2, height=max(4.0, 0.22 * min(len(layers), _MOST_LAYERS) + 1.2))
    _triangle(plots[0, 0], content)
    _angles(plots[0, 1], layers)
    return made


def _triangle(plot: Axes, content: Mapping[str, Json]) -> None:
    from fed_pretrain.probes import drawing

    whole = content["whole"]
    angle = np.radians(whole["angle_degrees"] or 0.0)
    first = np.array([whole["first_from_start"], 0.0])
    second = whole["second_from_start"] * np.array([np.cos(angle), np.sin(angle)])
    start = np.zeros(2)
    sides = (
        (start, first, whole["first_from_start"], drawing.COLOURS[0]),
        (start, second, whole["second_from_start"], drawing.COLOURS[1]),
        (first, second, whole["apart"], "0.4"),
    )
    for one, other, length, colour in sides:
        plot.plot(*zip(one, other, strict=True), color=colour)
        plot.annotate(
            f"{length:.3g}",
            (one + other) / 2,
            fontsize="small",
            color=colour,
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
        )
    names = ("start", content["first"], content["second"])
    colours = ("black", *drawing.COLOURS[:2])
    for point, name, colour in zip((start, first, second), names, colours, strict=True):
        plot.plot(*point, "o", color=colour, label=name)
    plot.legend(fontsize="small", loc="best")
    plot.set(
        title=f"angle {whole['angle_degrees'] or 0.0:.3g}°,\n"
        f"apart {whole['relative'] or 0.0:.3g} of the mean distance from the start",
        xlabel="Euclidean distance",
        ylabel="Euclidean distance",
    )
    plot.set_aspect("equal", adjustable="datalim")
    plot.margins(0.2)


def _angles(plot: Axes, layers: list[Mapping[str, Json]]) -> None:
    """The layers that are farthest apart, in the model's order."""
    from fed_pretrain.probes import drawing

    farthest = sorted(layers, key=lambda layer: -layer["apart"])[:_MOST_LAYERS]
    shown = [layer for layer in layers if layer in farthest]
    names = [layer["layer"] for layer in shown]
    plot.barh(names, drawing.numbers([layer["angle_degrees"] for layer in shown]), color="0.6")
    plot.invert_yaxis()
    plot.tick_params(axis="y", labelsize="small")
    left_out = len(layers) - len(shown)
    plot.set(
        title="by layer" + (f" ({left_out} closer ones left out)" if left_out else ""),
        xlabel="angle between the two displacements (degrees)",
        xlim=(0, 180),
    )
    plot.axvline(90, color="0.5", linestyle=":", linewidth=1)
