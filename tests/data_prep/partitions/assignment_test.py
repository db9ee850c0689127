import numpy as np
import pytest

from data_prep.partitions.assignment import draw
from data_prep.partitions.partition_config import PartitionConfig
from groundwork.errors import UserError

LABELS = np.arange(600) % 6
SPLITS = np.repeat([0, 2], [500, 100]).astype(np.uint8)


@pytest.mark.parametrize(
    "config",
    [
        PartitionConfig("iid", 12),
        PartitionConfig("quantity", 12),
        PartitionConfig("dirichlet", 12),
        PartitionConfig("dirichlet", 12, dirichlet="per_class"),
        PartitionConfig("labels_per_client", 12),
    ],
    ids=lambda config: f"{config.rule}-{config.dirichlet}",
)
def test_every_example_of_every_split_gets_a_named_client(config: PartitionConfig) -> None:
    drawn = draw(config, labels=LABELS, splits=SPLITS, num_labels=6)
    assert len(drawn.clients) == 600
    assert drawn.names == [f"client_{number:02d}" for number in range(12)]
    assert set(drawn.clients) <= set(range(12))
    assert set(drawn.clients[SPLITS == 0]) == set(range(12))


def test_natural_shuffled_keeps_the_sizes_of_each_split_and_mixes_the_examples() -> None:
    natural = np.repeat([7, 3, 9], [100, 200, 300]).astype(np.uint64)
    order = np.random.default_rng(0).permutation(600)
    natural = natural[order]
    config = PartitionConfig("natural_shuffled")
    names = {7: "writer_b", 3: "writer_a", 9: "writer_c"}
    drawn = draw(config, labels=LABELS, splits=SPLITS, natural=natural, natural_names=names)
    given = np.array([{v: k for k, v in names.items()}[drawn.names[c]] for c in drawn.clients])
    for split in (0, 2):
        here = split == SPLITS
        assert np.array_equal(np.sort(given[here]), np.sort(natural[here]))
    assert 0.25 < (given == natural).mean() < 0.55  # Chance: the sum of squared shares, 0.39.


def test_more_clients_than_examples_are_refused() -> None:
    with pytest.raises(UserError, match="--num_clients=501"):
        draw(PartitionConfig("iid", 501), labels=LABELS, splits=SPLITS)
    with pytest.raises(UserError, match="cannot give each of them 10"):
        draw(PartitionConfig("iid", 51, minimum_size=10), labels=LABELS, splits=SPLITS)


def test_natural_shuffled_needs_natural_clients() -> None:
    with pytest.raises(UserError, match="no natural clients"):
        draw(PartitionConfig("natural_shuffled"), labels=LABELS, splits=SPLITS)


def test_a_table_of_clients_and_labels_that_is_too_large_is_refused() -> None:
    config = PartitionConfig("dirichlet", num_clients=1000)
    labels = np.full(2000, 999_999)
    with pytest.raises(UserError, match="number the labels from 0"):
        draw(config, labels=labels, splits=np.zeros(2000, np.uint8))
