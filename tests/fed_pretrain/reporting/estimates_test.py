import math

import pytest
import scipy.stats

from fed_pretrain.reporting.estimates import by_seed, estimate, over_seeds, paired
from tests.fed_pretrain.reporting import toy_study


def test_the_interval_is_students():
    low, high = scipy.stats.t.interval(0.95, 2, loc=0.6, scale=scipy.stats.sem([0.5, 0.7, 0.6]))
    found = estimate([0.5, 0.7, 0.6])
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.mean, found.count) == (pytest.approx(0.6), 3)


def test_one_value_has_no_interval_and_none_no_mean():
    assert estimate([0.5]).mean == 0.5
    assert not estimate([0.5]).has_interval
    assert not estimate([]).known
    assert estimate([math.nan, 1.0]).count == 1


def test_the_runs_of_a_seed_count_once(tmp_path):
    runs = [
        toy_study.run(tmp_path, final, start="random", seed=seed, algorithm=name)
        for seed, name, final in ((0, "a", 0.4), (0, "b", 0.6), (1, "a", 0.7))
    ]
    assert by_seed(runs, lambda run: run.last("eval_accuracy")) == {0: 0.5, 1: 0.7}
    assert over_seeds(runs, lambda run: run.last("eval_accuracy")).count == 2


def test_a_paired_difference_is_over_the_seeds_that_both_have():
    found = paired({0: 0.5, 1: 0.7, 2: 0.9}, {0: 0.4, 1: 0.4})
    assert (found.mean, found.count) == (pytest.approx(0.2), 2)
