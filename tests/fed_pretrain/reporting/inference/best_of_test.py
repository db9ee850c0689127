import numpy as np
import pytest
import scipy.stats

from fed_pretrain.reporting.inference import best_of

RNG = np.random.default_rng(5)
FIRST = RNG.normal(size=(6, 2)) + np.array([2.0, 0.0])
OTHER = RNG.normal(size=(6, 3))


def greater(a, b):
    return scipy.stats.ttest_rel(a, b, alternative="greater").pvalue


def test_one_of_a_group_has_to_beat_every_rival():
    each = [max(greater(FIRST[:, i], OTHER[:, j]) for j in range(3)) for i in range(2)]
    assert best_of.sides(FIRST, OTHER).up == pytest.approx(min(1.0, 2 * min(each)))
    other = [max(greater(OTHER[:, j], FIRST[:, i]) for i in range(2)) for j in range(3)]
    assert best_of.sides(FIRST, OTHER).down == pytest.approx(min(1.0, 3 * min(other)))


def test_one_against_one_is_the_paired_t_test():
    first, other = FIRST[:, :1], OTHER[:, :1]
    expected = scipy.stats.ttest_rel(first[:, 0], other[:, 0])
    assert best_of.sides(first, other).p == pytest.approx(expected.pvalue)
    z = (first - other)[:, 0]
    interval = scipy.stats.t.interval(0.95, 5, z.mean(), scipy.stats.sem(z))
    assert best_of.bounds(first, other, 0.05) == pytest.approx(interval)


def test_the_interval_and_the_p_value_say_the_same():
    for shift in np.linspace(-3, 3, 13):
        low, high = best_of.bounds(FIRST + shift, OTHER, 0.05)
        sides = best_of.sides(FIRST + shift, OTHER)
        assert (low > 0, high < 0) == (sides.up < 0.025, sides.down < 0.025)
