import numpy as np
import pytest
import scipy.stats

from fed_pretrain.theory import tables


@pytest.mark.parametrize("seeds", [2, 3, 16, 17, 20, 50])
def test_the_interval_is_students_whatever_the_number_of_seeds(seeds):
    values = np.random.default_rng(0).normal(size=seeds)
    mean, half = tables.mean_and_interval(values)
    low, high = scipy.stats.t.interval(
        0.95, seeds - 1, loc=values.mean(), scale=scipy.stats.sem(values)
    )
    assert (mean - half, mean + half) == (pytest.approx(low), pytest.approx(high))
