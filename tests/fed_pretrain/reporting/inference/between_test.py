import numpy as np
import pytest

from fed_pretrain.reporting.inference import between

Y = np.random.default_rng(3).normal(size=(6, 4)) + np.array([0.0, 1.0, 2.0, 5.0])


def anova_component(y):
    """(MS of algorithms - MS of the rest) / seeds, of the two-way analysis of variance."""
    n, k = y.shape
    algorithms, seeds, whole = y.mean(axis=0), y.mean(axis=1), y.mean()
    between_them = n * ((algorithms - whole) ** 2).sum() / (k - 1)
    rest = ((y - algorithms - seeds[:, None] + whole) ** 2).sum() / ((n - 1) * (k - 1))
    return (between_them - rest) / n


def test_the_variance_of_the_means_is_that_of_the_analysis_of_variance():
    value, without = between.variance(Y)
    assert value == pytest.approx(anova_component(Y))
    for seed, left in enumerate(without):
        assert left == pytest.approx(anova_component(np.delete(Y, seed, axis=0)))


def test_noise_alone_is_no_spread_on_average():
    noise = np.random.default_rng(0).normal(size=(4000, 5, 6))
    assert between.variance(noise)[0].mean() == pytest.approx(0.0, abs=0.01)
    assert np.ptp(noise, axis=2).mean() > 2  # what best minus worst would have shown


def test_an_interval_holds_zero_where_one_of_the_two_scales_cannot_exclude_it():
    rng = np.random.default_rng(0)
    ends = []
    for spread in [*np.repeat([(0.0, 0.0), (0.1, 0.0), (0.3, 0.1)], 40, axis=0)]:
        first, other = spread[:, None, None] * np.arange(4) + rng.normal(size=(2, 5, 4)) * 0.1
        for one, two in ((first, other), (other, first)):
            low, high = between.bounds(one, two, 0.05)
            sides = between.sides(one, two, 0.01)
            assert (low > 0) == (sides.up < 0.025)
            assert (high < 0) == (sides.down < 0.025)
            ends.append((low, high))
    assert ends[1::2] == [pytest.approx((-high, -low)) for low, high in ends[::2]]
    # One scale excludes zero and the other does not, in either order.
    assert 0.0 in [low for low, _ in ends]
    assert 0.0 in [high for _, high in ends]


def test_two_seeds_are_too_few():
    assert between.sides(Y[:2], Y[:2] / 9, 0.01).p == 1.0
