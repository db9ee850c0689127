"""The loss on the plane through three models (Garipov et al. 2018, section 3).

Its coordinates are orthonormal: distances on the figure are Euclidean distances of the trainable
weights. The first model is the origin and the second lies on the first axis.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fed_pretrain.models.weights import Mixture, Weights, mixture
from groundwork.errors import UserError

Evaluate = Callable[[Any], dict[str, float]]
# Below this share of the third model's distance, its height over the line is rounding.
_FLAT = 1e-6
_MARGIN = 0.25


@dataclass(frozen=True)
class Plane:
    """The second model is at (length, 0), the third at (along, height)."""

    models: tuple[Weights, Weights, Weights]
    length: float
    along: float
    height: float

    @property
    def corners(self) -> list[tuple[float, float]]:
        return [(0.0, 0.0), (self.length, 0.0), (self.along, self.height)]

    def at(self, x: float, y: float) -> Mixture:
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


def through(first: Weights, second: Weights, third: Weights) -> Plane:
    """Gram-Schmidt on the two displacements from the first model, in float64."""
    one, other = _displacement(first, second), _displacement(first, third)
    length, distance = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    if not length or not distance:
        raise UserError("--probes=plane: two of the three models are the same; give another run")
    along = float(one @ other) / length
    height = float(np.linalg.norm(other - (along / length) * one))
    if height <= _FLAT * distance:
        raise UserError(
            "--probes=plane: the three models lie on one line, which spans no plane;"
            " --probes=landscape shows the line"
        )
    return Plane((first, second, third), length, along, height)


def measure(
    plane: Plane,
    evaluations: Mapping[str, Evaluate],
    grid: int,
    on_point: Callable[[int], None] = lambda number: None,
) -> dict[str, Any]:
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
