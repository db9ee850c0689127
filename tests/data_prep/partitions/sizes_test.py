import numpy as np
import pytest

from data_prep.partitions.partition_config import PartitionConfig
from data_prep.partitions.sizes import EqualSizes, LogNormalSizes, equal_sizes, proportional_sizes


def test_equal_sizes_differ_by_one_at_most() -> None:
    assert equal_sizes(10, 4).tolist() == [3, 3, 2, 2]
    assert equal_sizes(2, 3).tolist() == [1, 1, 0]


@pytest.mark.parametrize("minimum", [0, 1, 30])
def test_proportional_sizes_add_up_and_keep_the_minimum(minimum: int) -> None:
    sizes = proportional_sizes(1000, np.array([1.0, 2.0, 7.0, 1e-9]), minimum)
    assert sizes.sum() == 1000
    assert sizes.min() >= minimum
    if minimum == 0:
        assert sizes.tolist() == [100, 200, 700, 0]


def test_iid_clients_have_nearly_the_pooled_labels() -> None:
    labels = np.arange(10_000) % 10
    dealt = EqualSizes(PartitionConfig("iid", 10)).deal(labels, "train")
    table = np.zeros((10, 10))
    np.add.at(table, (dealt, labels), 1)
    assert table.sum(axis=1).tolist() == [1000] * 10
    assert np.abs(table - 100).max() < 45  # Beyond 4.5 standard deviations of the hypergeometric.


def test_log_sizes_spread_as_sigma_says() -> None:
    config = PartitionConfig("quantity", 2000, sigma=0.8, minimum_size=0)
    sizes = LogNormalSizes(config).sizes(10_000_000)
    assert np.std(np.log(sizes)) == pytest.approx(0.8, rel=0.05)


@pytest.mark.parametrize("sigma", [0.0, 19.0])
def test_extreme_sigmas_neither_overflow_nor_lose_examples(sigma: float) -> None:
    dealt = LogNormalSizes(PartitionConfig("quantity", 50, sigma=sigma)).deal(
        np.zeros(5000, np.int64), "train"
    )
    sizes = np.bincount(dealt, minlength=50)
    assert sizes.sum() == 5000
    assert sizes.min() >= 1
    assert (sizes.max() == 100) == (sigma == 0)
