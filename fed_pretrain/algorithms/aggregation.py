"""The aggregator a config asks for, from the inside out."""

from collections.abc import Sequence
from typing import Any

import tensorflow_federated as tff

from fed_pretrain.algorithms.alignment_sums import AlignmentFactory
from fed_pretrain.algorithms.client_update import ClientUpdate
from fed_pretrain.algorithms.config import AlgorithmConfig


def build(config: AlgorithmConfig, rule: ClientUpdate, layers: Sequence[Sequence[int]]) -> Any:
    """Sum, mean, the rule's own part, and the alignment sums outermost: of the raw updates."""
    factory = rule.wrap_aggregator(tff.aggregators.MeanFactory(no_nan_division=True))
    if config.alignment == "none":
        return factory
    groups = [[i for layer in layers for i in layer]]
    if config.alignment == "layers":
        groups += [list(layer) for layer in layers]
    return AlignmentFactory(factory, groups, rule.scaled)


def share_sent(config: AlgorithmConfig) -> float:
    """Bytes of an update as a share of its float32 form."""
    return 1.0
