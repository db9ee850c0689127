import numpy as np
import pytest

from data_prep.partitions.partition_config import SplitConfig
from data_prep.partitions.splits import Splitter, split_sizes


def codes(config: SplitConfig, client: str, orders: list[int]) -> list[int]:
    splitter = Splitter(config)
    splitter.start_client(client, len(orders))
    return [splitter.code(order, 2) for order in orders]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 9, 10, 1001])
@pytest.mark.parametrize(
    "fractions", [(0.8, 0.0, 0.2), (0.6, 0.2, 0.2), (1.0, 0, 0), (0.01, 0.5, 0.49)]
)
def test_sizes_add_up_stay_near_the_shares_and_leave_train_something(
    size: int, fractions: tuple[float, float, float]
) -> None:
    sizes = split_sizes(size, fractions)
    assert sizes.sum() == size
    assert (sizes >= 0).all()
    assert np.abs(sizes - np.array(fractions) * size).max() <= 1
    assert size == 0 or sizes[0] >= 1


def test_by_order_the_first_train_and_the_last_test() -> None:
    config = SplitConfig("by_order", (0.6, 0.2, 0.2))
    assert codes(config, "a", list(range(10))) == [0] * 6 + [1] * 2 + [2] * 2


def test_by_example_is_the_same_count_at_random_places_that_depend_on_the_client() -> None:
    config = SplitConfig("by_example", (0.6, 0.2, 0.2))
    first, second = (codes(config, client, list(range(100))) for client in "ab")
    assert np.bincount(first).tolist() == np.bincount(second).tolist() == [60, 20, 20]
    assert first != second
    assert first == codes(config, "a", list(range(100)))
    assert first != sorted(first)


def test_by_client_a_client_stays_together_and_the_shares_hold() -> None:
    config = SplitConfig("by_client", (0.6, 0.2, 0.2))
    drawn = [set(codes(config, f"client{n}", [1, 2, 3])) for n in range(3000)]
    assert all(len(split) == 1 for split in drawn)
    shares = np.bincount([split.pop() for split in drawn]) / 3000
    assert np.abs(shares - [0.6, 0.2, 0.2]).max() < 0.04


def test_by_cutoff_the_order_value_decides() -> None:
    config = SplitConfig("by_cutoff", cutoffs=(10, 20))
    assert codes(config, "a", [9, 10, 19, 20, 99]) == [0, 1, 1, 2, 2]
    assert codes(SplitConfig("by_cutoff", cutoffs=(10,)), "a", [9, 10]) == [0, 2]


def test_validation_is_cut_from_what_the_source_trains_on_and_its_test_stays() -> None:
    config = SplitConfig("source", validation_share=0.2)
    shipped = [0, 2] * 50
    drawn = {}
    for client in "ab":
        splitter = Splitter(config)
        splitter.start_client(client, len(shipped), shipped.count(0))
        drawn[client] = [splitter.code(n, code) for n, code in enumerate(shipped)]
    for codes_of_client in drawn.values():
        assert np.bincount(codes_of_client).tolist() == [40, 10, 50]
        assert codes_of_client[1::2] == [2] * 50
    assert drawn["a"] != drawn["b"]
    splitter.start_client("alone", 1, 1)
    assert splitter.code(0, 0) == 0


def test_source_keeps_the_shipped_split_and_none_trains_all() -> None:
    assert codes(SplitConfig("source"), "a", [1, 2]) == [2, 2]
    assert codes(SplitConfig("none"), "a", [1, 2]) == [0, 0]
