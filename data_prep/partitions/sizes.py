"""Partitions that look at no label: equal sizes, and log-normal sizes."""

from collections.abc import Callable

import numpy as np

from data_prep.partitions.partition_config import PartitionConfig
from groundwork import randomness
from groundwork.untyped import Json


def equal_sizes(examples: int, clients: int) -> np.ndarray:
    return np.full(clients, examples // clients) + (np.arange(clients) < examples % clients)


def proportional_sizes(examples: int, weights: np.ndarray, minimum: int) -> np.ndarray:
    """`minimum` for each client where there is enough, the rest by weight (largest remainders)."""
    clients = len(weights)
    base = min(minimum, examples // clients)
    wanted = weights / weights.sum() * (examples - base * clients)
    whole = np.floor(wanted).astype(np.int64)
    left = examples - base * clients - int(whole.sum())
    whole[np.argsort(whole - wanted, kind="stable")[:left]] += 1
    return base + whole


def deal_by_label(
    labels: np.ndarray, seed: int, split: str, dealt: Callable[[int, int], np.ndarray]
) -> np.ndarray:
    """The client of each example: `dealt` gives those of each label, and they are shuffled."""
    clients = np.empty(len(labels), np.int64)
    for label in np.unique(labels).tolist():
        rows = np.flatnonzero(labels == label)
        generator = randomness.generator(seed, "deal", split, label)
        clients[rows] = generator.permutation(dealt(label, len(rows)))
    return clients


class EqualSizes:
    """IID: the pooled examples are shuffled and dealt out evenly."""

    def __init__(self, config: PartitionConfig) -> None:
        self._config = config
        self.report: dict[str, Json] = {}

    def sizes(self, examples: int) -> np.ndarray:
        return equal_sizes(examples, self._config.num_clients or 1)

    def deal(self, labels: np.ndarray, split: str) -> np.ndarray:
        sizes = self.sizes(len(labels))
        clients = np.repeat(np.arange(len(sizes)), sizes)
        return randomness.generator(self._config.seed, "deal", split).permutation(clients)


class LogNormalSizes(EqualSizes):
    """Quantity skew: sizes in proportion to exp(sigma z), z standard normal; labels are IID."""

    def __init__(self, config: PartitionConfig) -> None:
        super().__init__(config)
        generator = randomness.generator(config.seed, "quantity")
        logarithms = config.sigma * generator.standard_normal(config.num_clients or 1)
        # Relative to the largest, so that no sigma overflows.
        self._weights = np.exp(logarithms - logarithms.max())

    def sizes(self, examples: int) -> np.ndarray:
        return proportional_sizes(examples, self._weights, self._config.minimum_size)
