import numpy as np
import pytest

from data_prep.partitions.label_sets import LabelSets
from data_prep.partitions.partition_config import PartitionConfig
from groundwork.errors import UserError

LABELS = np.random.default_rng(0).integers(0, 10, 4000)
HISTOGRAM = np.bincount(LABELS)


def table(clients: int, labels: int, minimum: int = 1) -> np.ndarray:
    config = PartitionConfig(
        "labels_per_client", clients, labels_per_client=labels, minimum_size=minimum
    )
    counts = np.zeros((clients, 10), np.int64)
    np.add.at(counts, (LabelSets(config, HISTOGRAM).deal(LABELS, "train"), LABELS), 1)
    return counts


@pytest.mark.parametrize(("clients", "labels"), [(100, 2), (10, 1), (5, 10), (33, 3)])
def test_every_client_holds_exactly_k_labels_and_nothing_is_lost(clients: int, labels: int) -> None:
    counts = table(clients, labels)
    assert set((counts > 0).sum(axis=1)) == {labels}
    assert np.array_equal(counts.sum(axis=0), HISTOGRAM)
    holders = (counts > 0).sum(axis=0)
    assert holders.max() - holders.min() <= 1


def test_what_cannot_be_is_refused_by_its_flag() -> None:
    with pytest.raises(UserError, match="labels_per_client=11"):
        table(5, 11)
    with pytest.raises(UserError, match="num_clients=4"):
        table(4, 2)
    with pytest.raises(UserError, match="minimum_size=100"):
        table(100, 1, minimum=100)


def test_a_label_unseen_in_training_is_refused() -> None:
    config = PartitionConfig("labels_per_client", 5, labels_per_client=2)
    dealer = LabelSets(config, np.array([50, 50, 0]))
    with pytest.raises(UserError, match="label 2 occurs in the test split"):
        dealer.deal(np.array([0, 1, 2]), "test")
