"""The aggregator a config asks for, from the inside out."""

import math
from collections.abc import Sequence

import tensorflow_federated as tff

from fed_pretrain.algorithms.aggregators.alignment_sums import AlignmentFactory
from fed_pretrain.algorithms.aggregators.privacy import PrivateMeanFactory
from fed_pretrain.algorithms.aggregators.quantization import QuantizedFactory
from fed_pretrain.algorithms.aggregators.secure_sum import SecureSumFactory
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate
from groundwork.untyped import Factory


def build(
    config: ResolvedAlgorithm, client_update: ClientUpdate, layers: Sequence[Sequence[int]]
) -> Factory:
    """Sum, mean, robustness, the client update's part; outermost the sums of raw updates."""
    mean = _mean(config)
    if config.clipping:
        mean = clipped(mean)
    if config.zeroing:
        mean = zeroed(mean)
    factory = client_update.wrap_aggregator(mean)
    path = ["delta"] if client_update.scaled else []
    if config.compression == "quantize":
        factory = QuantizedFactory(factory, config.compression_bits, client_update.scaled)
        path = ["value", *path]
    if config.alignment == "none":
        return factory
    groups = [[i for layer in layers for i in layer]]
    if config.alignment == "layers":
        groups += [list(layer) for layer in layers]
    return AlignmentFactory(factory, groups, path)


def share_sent(config: ResolvedAlgorithm) -> float:
    """Bytes of an update as a share of its float32 form; secure sums send 48 bits a value."""
    if config.secure_aggregation:
        return 48.0 / 32.0
    return config.compression_bits / 32.0 if config.compression == "quantize" else 1.0


def _mean(config: ResolvedAlgorithm) -> Factory:
    total: Factory = tff.aggregators.SumFactory()
    if config.secure_aggregation:
        total = SecureSumFactory(config.secure_bound, grows_nothing=config.private)
    if config.dp_noise_multiplier is None:
        return tff.aggregators.MeanFactory(total, no_nan_division=True)
    return PrivateMeanFactory(total, config)


_Quantile = tff.aggregators.PrivateQuantileEstimationProcess


def clipped(factory: Factory) -> Factory:
    """Clips updates to the 0.8 quantile of the norms seen (Andrew, Thakkar et al. 2021)."""
    norm = _Quantile.no_noise(initial_estimate=1.0, target_quantile=0.8, learning_rate=0.2)
    return tff.aggregators.clipping_factory(norm, factory)


def zeroed(factory: Factory) -> Factory:
    """Zeroes updates whose largest entry exceeds twice the 0.98 quantile plus one."""
    norm = _Quantile.no_noise(
        initial_estimate=10.0,
        target_quantile=0.98,
        learning_rate=math.log(10.0),
        multiplier=2.0,
        increment=1.0,
    )
    return tff.aggregators.zeroing_factory(norm, factory)
