"""The loss along the line through two models, and the barrier between them.

barrier = max over a in [0, 1] of L(w_a) - ((1 - a) L(w_0) + a L(w_1)), w_a = (1 - a) w_0 + a w_1
(Frankle et al. 2020; Garipov et al. 2018 without the curve). Of the accuracy with the sign turned.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fed_pretrain.models.weights import Weights, mixture


def barrier(shares: Sequence[float], values: Sequence[float]) -> float:
    """How far values rise above the straight line between the models; 0 when they do not.

    Shares outside [0, 1] do not count; 0 and 1 are among the shares.
    """
    along, found = np.asarray(shares), np.asarray(values)
    first, last = found[along == 0.0][0], found[along == 1.0][0]
    between = (along >= 0.0) & (along <= 1.0)
    line = (1 - along) * first + along * last
    return float(np.max((found - line)[between]))


def interpolate(
    first: Weights,
    second: Weights,
    evaluate: Callable[[Any], dict[str, float]],
    points: int = 11,
    beyond: float = 0.0,
) -> dict[str, Any]:
    """`evaluate` gives the figures (loss, accuracy) of weights; the ends count as points.

    The line goes on past both ends by about `beyond` times its length, in equal steps.
    """
    steps = points - 1
    outside = round(beyond * steps)
    shares = [step / steps for step in range(-outside, steps + outside + 1)]
    rows = [evaluate(mixture((first, second), (1 - share, share))) for share in shares]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    content = {"shares": shares, **columns, "barrier": barrier(shares, columns["loss"])}
    if "accuracy" in columns:
        content["accuracy_barrier"] = barrier(shares, [-value for value in columns["accuracy"]])
    return content
