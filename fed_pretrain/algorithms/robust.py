"""Robust aggregation with TFF's own factories: adaptive zeroing and adaptive clipping.

The quantile processes have the constants of `tff.learning.robust_aggregator`.
"""

import math
from typing import Any

import tensorflow_federated as tff

_Quantile = tff.aggregators.PrivateQuantileEstimationProcess


def clipped(factory: Any) -> Any:
    """Clips updates to the 0.8 quantile of the norms seen (Andrew, Thakkar et al. 2021)."""
    norm = _Quantile.no_noise(initial_estimate=1.0, target_quantile=0.8, learning_rate=0.2)
    return tff.aggregators.clipping_factory(norm, factory)


def zeroed(factory: Any) -> Any:
    """Zeroes updates whose largest entry exceeds twice the 0.98 quantile plus one."""
    norm = _Quantile.no_noise(
        initial_estimate=10.0,
        target_quantile=0.98,
        learning_rate=math.log(10.0),
        multiplier=2.0,
        increment=1.0,
    )
    return tff.aggregators.zeroing_factory(norm, factory)
