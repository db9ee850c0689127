"""Where the names of lines go: beside their line, away from the others and from each other."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Curve = Sequence[Point]
_LETTER, _TALL = 6.6, 12.0
_SHARES = (0.5, 0.35, 0.65, 0.2, 0.8, 0.1, 0.9)


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def apart(self, other: "Box") -> float:
        """The gap between two boxes; negative by how much they overlap."""
        across = max(other.left - self.right, self.left - other.right)
        down = max(other.top - self.bottom, self.top - other.bottom)
        return max(across, down)


def place_labels(
    names: Sequence[str], curves: Sequence[Curve], plot: Box
) -> list[tuple[float, float]]:
    """The middle of each name's baseline."""
    taken: list[Box] = []
    places = []
    for index, name in enumerate(names):
        others = [curve for number, curve in enumerate(curves) if number != index]
        candidates = [
            (x, y, box)
            for share in _SHARES
            for x, y in _beside(curves[index], share, plot, len(name) * _LETTER)
            if (box := _box(x, y, name)).top >= plot.top and box.bottom <= plot.bottom
        ]
        if not candidates:
            x, y = curves[index][-1]
            places.append((x, y - 8))
            continue
        x, y, box = max(candidates, key=lambda one: _free(one[2], curves[index], others, taken))
        taken.append(box)
        places.append((x, y))
    return places


def _beside(curve: Curve, share: float, plot: Box, width: float) -> list[Point]:
    """Above and below the curve at a share of the plot's width, so that the name fits in it."""
    x = plot.left + share * (plot.right - plot.left)
    x = min(max(x, plot.left + width / 2), max(plot.right - width / 2, plot.left + width / 2))
    inside = [height(curve, x + shift * width / 2) for shift in (-1, -0.5, 0, 0.5, 1)]
    return [(x, min(inside) - 7), (x, max(inside) + 15)]


def _box(x: float, y: float, name: str) -> Box:
    half = len(name) * _LETTER / 2
    return Box(x - half, y - _TALL + 2, x + half, y + 3)


def _free(box: Box, own: Curve, others: Sequence[Curve], taken: Sequence[Box]) -> float:
    """The room to what is nearest, of which more than 25 units count no more."""
    gaps = [box.apart(other) for other in taken]
    steps = [box.left + i * (box.right - box.left) / 6 for i in range(7)]
    for curve in others:
        for x in steps:
            y = height(curve, x)
            gaps.append(max(box.top - y, y - box.bottom))
    own_gap = max(abs(height(own, (box.left + box.right) / 2) - box.bottom), 0.0)
    return min([*gaps, 25.0]) - 0.02 * own_gap


def height(curve: Curve, x: float) -> float:
    """Of the curve at x, straight between its points."""
    if x <= curve[0][0]:
        return curve[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(curve):
        if x <= x1:
            return y0 if math.isclose(x0, x1) else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return curve[-1][1]
