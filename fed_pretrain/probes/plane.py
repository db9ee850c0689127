"""The loss on the plane through three models (Garipov et al. 2018, section 3).

Its coordinates are orthonormal: distances on the figure are Euclidean distances of the trainable
weights. The first model is the origin and the second is on the first axis.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.models.weights import ModelArrays, Weights, mixture
from fed_pretrain.probes import landscape
from fed_pretrain.probes.landscape import Evaluate
from fed_pretrain.probes.probe import Content, Probe
from fed_pretrain.probes.subject import Subject
from groundwork.errors import UserError
from groundwork.progress import Progress
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Below this share of the third model's distance, its height over the line is rounding.
_FLAT = 1e-6
_MARGIN = 0.25
_MARKERS = "osD"


@dataclasses.dataclass(frozen=True)
class PlaneOptions:
    grid: int = dataclasses.field(
        default=9,
        metadata={"help": "Of plane: points a side; each costs two evaluations.", "lower_bound": 2},
    )


class Plane(Probe):
    """Through the start (or a third run), the subject, and another run."""

    name = "plane"
    help = "the loss on the plane through three models"
    needs = ("run", "other_run")
    asks_for = (
        "goes through three models: give --run=DIR and --other_run=DIR; the"
        " third is the start of --run, or --third_run=DIR"
    )
    options = (landscape.LandscapeOptions, PlaneOptions)

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        others = subject.others
        self._corners = (others.get("third_run", subject.start), subject.model, others["other_run"])
        self._plane = through(*(model.weights for model in self._corners))

    def measure(self) -> Content:
        subject = self.subject
        grid = subject.option(PlaneOptions).grid
        progress = Progress("plane", grid * grid, stream=sys.stderr)
        content = on_grid(
            self._plane,
            landscape.evaluations(subject),
            grid,
            lambda number: progress.update(number, "points"),
        )
        progress.close()
        return {
            **content,
            "models": [model.name for model in self._corners],
            "start_digests": [model.start_digest for model in self._corners],
            "examples": subject.option(landscape.LandscapeOptions).number_of_examples,
            "unit": f"{landscape.UNIT}; x and y: Euclidean distance of the trainable weights",
        }

    @staticmethod
    def draw(content: Mapping[str, Json]) -> Figure:
        """A column a split; loss above, accuracy below; the three models marked."""
        from fed_pretrain.probes import drawing

        splits = list(content["splits"])
        made, plots = drawing.panels(2, len(splits), width=5.0, height=4.2)
        for column, split in enumerate(splits):
            values = content["splits"][split]
            _contours(made, plots[0, column], content, values["loss"], f"{split}: loss (nats)", 0.5)
            _contours(
                made, plots[1, column], content, values["accuracy"], f"{split}: accuracy", 1.0
            )
        made.legend(
            *plots[0, 0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=3,
            frameon=False,
        )
        return made


@dataclasses.dataclass(frozen=True)
class Triangle:
    """The second model is at (length, 0), the third at (along, height)."""

    models: tuple[Weights, Weights, Weights]
    length: float
    along: float
    height: float

    @property
    def corners(self) -> list[tuple[float, float]]:
        return [(0.0, 0.0), (self.length, 0.0), (self.along, self.height)]

    def at(self, x: float, y: float) -> ModelArrays:
        """The weights at a point, as a mixture of the three models whose shares sum to one."""
        third = y / self.height
        second = (x - self.along * third) / self.length
        return mixture(self.models, (1.0 - second - third, second, third))

    def axes(self, grid: int) -> tuple[list[float], list[float]]:
        """A square of `grid` by `grid` points around the models, with a margin."""
        corners = np.array(self.corners)
        low, high = corners.min(axis=0), corners.max(axis=0)
        reach = (0.5 + _MARGIN) * float(np.max(high - low))
        x, y = (low + high) / 2
        across = np.linspace(-reach, reach, grid)
        return (x + across).tolist(), (y + across).tolist()


def through(first: Weights, second: Weights, third: Weights) -> Triangle:
    """Gram-Schmidt on the two displacements from the first model, in float64."""
    one, other = _displacement(first, second), _displacement(first, third)
    length, distance = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    if not length or not distance:
        raise UserError("--probes=plane: two of the three models are the same; give another run")
    along = float(one @ other) / length
    height = float(np.linalg.norm(other - (along / length) * one))
    if height <= _FLAT * distance:
        raise UserError(
            "--probes=plane: the three models are on one line, which spans no plane;"
            " --probes=landscape shows the line"
        )
    return Triangle((first, second, third), length, along, height)


def on_grid(
    plane: Triangle,
    evaluations: Mapping[str, Evaluate],
    grid: int,
    on_point: Callable[[int], None] = lambda number: None,
) -> Content:
    """Figures (loss, accuracy) by split: at every grid point, row by row, and at the models."""
    across, up = plane.axes(grid)
    names = list(evaluations)
    rows: dict[str, list[list[dict[str, float]]]] = {name: [] for name in names}
    for row, y in enumerate(up):
        for name in names:
            rows[name].append([])
        for column, x in enumerate(across):
            weights = plane.at(x, y)
            for name in names:
                rows[name][-1].append(evaluations[name](weights))
            on_point(row * grid + column + 1)
    ends = {name: [evaluations[name](model) for model in plane.models] for name in names}
    return {
        "corners": plane.corners,
        "x": across,
        "y": up,
        "splits": {name: _columns(rows[name]) for name in names},
        "at_models": ends,
    }


def _columns(rows: list[list[dict[str, float]]]) -> dict[str, list[list[float]]]:
    names = [name for name in ("loss", "accuracy") if name in rows[0][0]]
    return {name: [[one[name] for one in row] for row in rows] for name in names}


def _displacement(first: Weights, second: Weights) -> np.ndarray:
    pairs = zip(first.trainable, second.trainable, strict=True)
    return np.concatenate(
        [(np.asarray(b, np.float64) - np.asarray(a, np.float64)).reshape(-1) for a, b in pairs]
    )


def _contours(
    made: Figure,
    plot: Axes,
    content: Mapping[str, Json],
    values: Json,
    title: str,
    power: float,
) -> None:
    """Levels are denser near the low end where `power` is below 1."""
    from matplotlib.colors import PowerNorm

    from fed_pretrain.probes import drawing

    found = np.ma.masked_invalid(drawing.numbers(values))
    low, high = float(found.min()), float(found.max())
    high = max(high, low + 1e-9)
    levels = low + (high - low) * np.linspace(0, 1, 16) ** (1 / power)
    colours = "viridis_r" if power < 1 else "viridis"
    norm = PowerNorm(power, low, high)
    drawn = plot.contourf(content["x"], content["y"], found, levels, cmap=colours, norm=norm)
    made.colorbar(drawn, ax=plot, format="%.3g", ticks=levels[::3])
    pairs = zip(content["corners"], content["models"], _MARKERS, strict=True)
    for (x, y), name, marker in pairs:
        plot.plot(x, y, marker, color="white", markeredgecolor="black", markersize=8, label=name)
    plot.set(title=title, xlabel="Euclidean distance", ylabel="Euclidean distance")
    plot.set_aspect("equal")
