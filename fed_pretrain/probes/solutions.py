"""Two solutions reached from one start: how far apart, and how far their ways agree.

With d_1 = w_1 - w_0 and d_2 = w_2 - w_0: apart ||w_1 - w_2||, relative to (||d_1|| + ||d_2||) / 2,
and the angle between d_1 and d_2; over all trainable weights and layer by layer.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Tensors = Sequence[np.ndarray]


def compare(
    start: Tensors, first: Tensors, second: Tensors, names: Sequence[str]
) -> dict[str, Any]:
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
