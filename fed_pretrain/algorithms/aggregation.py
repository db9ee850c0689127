"""The aggregator a config asks for, from the inside out."""

from collections.abc import Sequence
from typing import Any

import tensorflow_federated as tff

from fed_pretrain.algorithms import robust
from fed_pretrain.algorithms.alignment_sums import AlignmentFactory
from fed_pretrain.algorithms.client_update import ClientUpdate
from fed_pretrain.algorithms.compression import quantized_sum
from fed_pretrain.algorithms.config import AlgorithmConfig
from fed_pretrain.algorithms.privacy import PrivateMeanFactory
from fed_pretrain.algorithms.secure_sum import SecureSumFactory


def build(config: AlgorithmConfig, rule: ClientUpdate, layers: Sequence[Sequence[int]]) -> Any:
    """Sum, mean, robustness, the rule's own part; outermost the alignment sums of raw updates."""
    mean = _mean(config)
    if config.clipping:
        mean = robust.clipped(mean)
    if config.zeroing:
        mean = robust.zeroed(mean)
    factory = rule.wrap_aggregator(mean)
    if config.alignment == "none":
        return factory
    groups = [[i for layer in layers for i in layer]]
    if config.alignment == "layers":
        groups += [list(layer) for layer in layers]
    return AlignmentFactory(factory, groups, rule.scaled)


def share_sent(config: AlgorithmConfig) -> float:
    """Bytes of an update as a share of its float32 form; secure sums send 48 bits a value."""
    if config.secure_aggregation:
        return 48.0 / 32.0
    return config.compression_bits / 32.0 if config.compression == "quantize" else 1.0


def _mean(config: AlgorithmConfig) -> Any:
    total: Any = tff.aggregators.SumFactory()
    if config.secure_aggregation:
        total = SecureSumFactory(config.secure_bound)
    if config.compression == "quantize":
        total = quantized_sum(total, config.compression_bits, config.seed)
    if config.dp_noise_multiplier is None:
        return tff.aggregators.MeanFactory(total, no_nan_division=True)
    return PrivateMeanFactory(
        total,
        config.dp_clip_norm,
        config.dp_noise_multiplier,
        config.clients_per_round,
        config.seed,
    )
