"""Gives every example of the pooled data a client; the examples come in their final order.

What makes clients differ (label mixes, sizes) is drawn once and holds for every split, so a
client's test examples look like its training examples.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from data_prep.partitions import dirichlet, label_sets, sizes
from data_prep.partitions.partition_config import SPLITS, Dealer, PartitionConfig
from groundwork import randomness
from groundwork.errors import UserError
from groundwork.untyped import Json

_LARGEST_TABLE = 1 << 28


@dataclasses.dataclass(frozen=True)
class Drawn:
    clients: np.ndarray
    """The client's number, for each example."""
    names: list[str]
    report: dict[str, Json]


def draw(
    config: PartitionConfig,
    *,
    labels: np.ndarray,
    splits: np.ndarray,
    natural: np.ndarray | None = None,
    natural_names: Mapping[int, str] | None = None,
    num_labels: int | None = None,
) -> Drawn:
    """`splits` holds split codes; `natural` the keys of natural clients, `natural_names` names."""
    if config.rule == "natural_shuffled":
        return _natural_shuffled(config, splits, natural, natural_names or {})
    count = config.num_clients or 0
    train = splits == splits.min() if len(splits) else splits
    if int(train.sum()) < count * max(1, config.minimum_size):
        raise UserError(
            f"--num_clients={count}: {int(train.sum()):,} training examples cannot give each of "
            f"them {max(1, config.minimum_size)}"
        )
    dealer = _dealer(config, labels, train, num_labels)
    clients = np.empty(len(labels), np.int64)
    for code in np.unique(splits):
        rows = np.flatnonzero(splits == code)
        clients[rows] = dealer.deal(labels[rows], SPLITS[code])
    width = len(str(count - 1))
    names = [f"client_{number:0{width}d}" for number in range(count)]
    return Drawn(clients, names, dealer.report)


def _dealer(
    config: PartitionConfig, labels: np.ndarray, train: np.ndarray, num_labels: int | None
) -> Dealer:
    count = num_labels if num_labels is not None else int(labels.max(initial=0)) + 1
    if config.needs_labels and count * (config.num_clients or 1) > _LARGEST_TABLE:
        raise UserError(
            f"--num_clients={config.num_clients}: with {count:,} labels (the largest is "
            f"{count - 1:,}) the table of clients and labels is too large: number the labels from 0"
        )
    if not config.needs_labels:
        return {"iid": sizes.EqualSizes, "quantity": sizes.LogNormalSizes}[config.rule](config)
    histogram = np.bincount(labels[train], minlength=count)[:count]
    if config.own is not None:
        return config.own(config, histogram)
    if config.rule == "labels_per_client":
        return label_sets.LabelSets(config, histogram)
    if config.dirichlet == "per_client":
        return dirichlet.PerClient(config, histogram)
    return dirichlet.PerClass(config, histogram)


def _natural_shuffled(
    config: PartitionConfig,
    splits: np.ndarray,
    natural: np.ndarray | None,
    names: Mapping[int, str],
) -> Drawn:
    """The paper's IID control: the natural clients keep their sizes, the examples are pooled."""
    if natural is None or not len(names):
        raise UserError("--partition=natural_shuffled: this source has no natural clients")
    ordered = sorted(names, key=lambda key: names[key])
    position = {key: number for number, key in enumerate(ordered)}
    unique, inverse = np.unique(natural, return_inverse=True)
    numbers = np.array([position[int(key)] for key in unique])[inverse]
    clients = np.empty(len(natural), np.int64)
    for code in np.unique(splits):
        rows = np.flatnonzero(splits == code)
        generator = randomness.generator(config.seed, "natural_shuffled", SPLITS[code])
        clients[rows] = generator.permutation(np.sort(numbers[rows]))
    return Drawn(clients, [names[key] for key in ordered], {})
