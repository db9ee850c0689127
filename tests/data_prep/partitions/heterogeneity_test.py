"""Oracle: the definitions, written out by hand on tables small enough to check."""

import numpy as np
import pyarrow as pa
import pytest

from data_prep.partitions import heterogeneity
from data_prep.store.index import table


def index(counts: list[list[int]], labelled: bool = True) -> pa.Table:
    rows = [(f"c{number}", 0, 0, sum(row)) for number, row in enumerate(counts)]
    return table(0, rows, np.array(counts, np.int64) if labelled else None)


def report(*parts: pa.Table) -> dict:
    return heterogeneity.measured(parts)


@pytest.mark.parametrize(
    ("counts", "h"),
    [
        ([[5, 5], [5, 5]], 0.5),
        ([[10, 0], [0, 10]], 0.0),
        ([[8, 2], [2, 8]], 0.2),  # The protocol's K = 2, N = 10, h = 0.2.
    ],
)
def test_h_for_two_labels_is_the_share_of_minority_labels(
    counts: list[list[int]], h: float
) -> None:
    assert report(index(counts))["h"] == h


def test_total_variation_is_zero_for_equal_mixes_and_large_for_single_labels() -> None:
    assert report(index([[2, 4], [10, 20]]))["mean_total_variation"] == 0
    single = report(index([[10, 0, 0], [0, 10, 0], [0, 0, 10]]))
    assert single["mean_total_variation"] == pytest.approx(2 / 3)


def test_sizes_weigh_where_the_name_says_so() -> None:
    # Pool (3/4, 1/4); client 0 is 1/4 away from it, client 1 is 3/4 away.
    found = report(index([[30, 0], [0, 10]]))
    assert found["mean_total_variation"] == pytest.approx((0.25 + 0.75) / 2)
    assert found["mean_total_variation_by_size"] == pytest.approx((30 * 0.25 + 10 * 0.75) / 40)
    assert found["label_counts"] == [30, 10]
    assert found["mean_labels_per_client"] == 1


def test_parts_give_what_the_whole_gives() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (40, 5)).tolist()
    whole = report(index(counts))
    assert report(index(counts[:13]), index(counts[13:])) == whole
    sizes = [sum(row) for row in counts]
    assert whole["client_sizes"]["mean"] == pytest.approx(np.mean(sizes))
    assert dict(whole["client_sizes"]["quantiles"])[100] == max(sizes)


def test_without_labels_only_sizes_are_told() -> None:
    assert set(report(index([[3], [4]], labelled=False))) == {"client_sizes"}
