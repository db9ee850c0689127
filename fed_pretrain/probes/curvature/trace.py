"""Hutchinson's estimate of the trace, with its standard error."""

from dataclasses import dataclass

import numpy as np

from data_prep import randomness
from fed_pretrain.probes.curvature.operator import Operator


@dataclass(frozen=True)
class TraceEstimate:
    trace: float
    standard_error: float
    samples: int
    seed: int


def hutchinson_trace(operator: Operator, *, samples: int = 16, seed: int = 0) -> TraceEstimate:
    """Mean of z'Hz over random signs z; one sample has no standard error: NaN."""
    values = []
    for number in range(samples):
        generator = randomness.generator(seed, "hutchinson", number)
        signs = generator.integers(0, 2, operator.size) * 2.0 - 1.0
        values.append(float(signs @ operator.matvec(signs)))
    error = float(np.std(values, ddof=1) / np.sqrt(samples)) if samples > 1 else float("nan")
    return TraceEstimate(float(np.mean(values)), error, samples, seed)
