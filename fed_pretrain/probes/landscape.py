"""The loss along the line between two models, and the barrier on it.

barrier = max over a of L(w_a) - ((1 - a) L(w_0) + a L(w_1)), w_a = (1 - a) w_0 + a w_1
(Frankle et al. 2020; Garipov et al. 2018 without the curve).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fed_pretrain.probes.probe import Weights


@dataclass(frozen=True)
class Mixed:
    """Weights between two models; statistics that do not train are mixed alike."""

    trainable: list[np.ndarray]
    non_trainable: list[np.ndarray]


def between(first: Weights, second: Weights, share: float) -> Mixed:
    """(1 - share) first + share second; the ends are the models themselves, bit for bit."""

    def mix(ones: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [
            ((1 - share) * np.asarray(a, np.float64) + share * np.asarray(b, np.float64)).astype(
                a.dtype
            )
            for a, b in zip(ones, others, strict=True)
        ]

    return Mixed(
        mix(first.trainable, second.trainable), mix(first.non_trainable, second.non_trainable)
    )


def barrier(shares: Sequence[float], losses: Sequence[float]) -> float:
    """How far the loss rises above the straight line between its ends; 0 when it does not."""
    along = np.asarray(shares)
    line = (1 - along) * losses[0] + along * losses[-1]
    return float(np.max(np.asarray(losses) - line))


def interpolate(
    first: Weights,
    second: Weights,
    evaluate: Callable[[Any], dict[str, float]],
    points: int = 11,
) -> dict[str, Any]:
    """`evaluate` gives the figures (loss, accuracy) of weights; the ends count as points."""
    shares = np.linspace(0.0, 1.0, points).tolist()
    rows = [evaluate(between(first, second, share)) for share in shares]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {"shares": shares, **columns, "barrier": barrier(shares, columns["loss"])}
