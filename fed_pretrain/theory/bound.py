"""The shape of the paper's bound on the test error: its constant is unknown, so is its scale."""

import numpy as np

CONSTANT = 1.0
MARK = "shape of the bound, its constant set to 1"


def error_bound(
    aligned: np.ndarray,
    h: float,
    tau: float,
    signal_to_noise: float,
    total_samples: int,
    dimension: int,
) -> float:
    """(1/2) sum_j exp(-(n / (C d)) [SNR^2 (a_j + (1 - a_j)(h + (1 - h) / tau))]^2).

    `aligned`: the share a_j of aligned filters of each sign at the start.
    """
    reach = aligned + (1 - aligned) * (h + (1 - h) / tau)
    exponent = (total_samples / (CONSTANT * dimension)) * (signal_to_noise**2 * reach) ** 2
    return float(np.exp(-exponent).mean())
