import math

import pytest
import scipy.stats

from fed_pretrain.reporting.statistics import kendall_tau_b, ranks, spread

# Final accuracies of "Where to Begin?" on Stack Overflow, by algorithm (pre-trained, random).
PUBLISHED = [
    (24.92, 19.77),
    (24.89, 18.69),
    (24.61, 19.67),
    (24.41, 19.85),
    (24.30, 15.31),
    (24.16, 18.46),
    (23.34, 17.52),
    (23.20, 19.10),
    (23.12, 16.13),
]


def test_tau_of_the_papers_table_is_its_known_value():
    pretrained, random = zip(*PUBLISHED, strict=True)
    assert kendall_tau_b(pretrained, random) == pytest.approx(14 / 36)


def test_tau_with_ties_equals_scipys():
    first, second = [1, 2, 2, 3, 4, 4], [2, 1, 3, 3, 5, 4]
    expected = scipy.stats.kendalltau(first, second)[0]
    assert kendall_tau_b(first, second) == pytest.approx(expected)


def test_tau_is_undefined_when_one_side_ties_everywhere():
    assert math.isnan(kendall_tau_b([1, 1, 1], [1, 2, 3]))


def test_the_interval_is_students():
    values = [0.5, 0.7, 0.6]
    low, high = scipy.stats.t.interval(0.95, 2, loc=0.6, scale=scipy.stats.sem(values))
    assert spread(values).half_width == pytest.approx((high - low) / 2, rel=1e-3)


def test_one_value_has_no_deviation_and_none_no_mean():
    assert math.isnan(spread([0.5]).std)
    assert str(spread([0.5])) == "0.500"
    assert str(spread([])) == "–"
    assert spread([math.nan, 1.0]).count == 1


def test_ranks_begin_at_one_for_the_highest():
    assert ranks([0.1, 0.9, 0.5]) == [3, 1, 2]
