"""Power iteration: the eigenvalue largest in absolute value; a slow, independent second opinion."""

from dataclasses import dataclass

import numpy as np

from fed_pretrain.probes.curvature.lanczos import Eigenpair
from fed_pretrain.probes.curvature.operator import Counted, Operator, unit_vector


@dataclass(frozen=True)
class PowerResult:
    """`pair.value` may be negative: it is the largest in absolute value."""

    pair: Eigenpair
    converged: bool
    iterations: int
    matvecs: int
    seed: int


def dominant_eigenpair(
    operator: Operator, *, seed: int = 0, max_iterations: int = 100, tolerance: float = 1e-3
) -> PowerResult:
    """Multiplies until the relative residual is below `tolerance`."""
    counted = Counted(operator)
    vector = unit_vector(operator.size, seed, "power_iteration")
    for iteration in range(1, max_iterations + 1):
        product = counted.matvec(vector)
        value = float(vector @ product)
        residual = float(np.linalg.norm(product - value * vector))
        pair = Eigenpair(value, residual, vector)
        length = float(np.linalg.norm(product))
        if residual <= tolerance * abs(value) or length == 0.0:
            return PowerResult(pair, True, iteration, counted.matvecs, seed)
        vector = product / length
    return PowerResult(pair, False, max_iterations, counted.matvecs, seed)
