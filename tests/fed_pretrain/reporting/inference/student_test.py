"""SciPy's own t test is the oracle."""

import numpy as np
import pytest
import scipy.stats

from fed_pretrain.reporting.inference import student

Z = np.array([0.3, 0.1, 0.4, 0.15, 0.22])


def test_the_two_sides_are_scipys_one_sided_t_tests():
    up, down = student.one_sided(Z)
    assert up == pytest.approx(scipy.stats.ttest_1samp(Z, 0, alternative="greater").pvalue)
    assert down == pytest.approx(scipy.stats.ttest_1samp(Z, 0, alternative="less").pvalue)
    assert student.sides(Z).p == pytest.approx(scipy.stats.ttest_1samp(Z, 0).pvalue)


def test_the_interval_is_scipys():
    expected = scipy.stats.t.interval(0.9, 4, Z.mean(), scipy.stats.sem(Z))
    assert student.bounds(Z, 0.1) == pytest.approx(expected)


def test_equivalence_is_two_one_sided_tests_against_the_margin():
    above = scipy.stats.ttest_1samp(Z, -0.5, alternative="greater").pvalue
    below = scipy.stats.ttest_1samp(Z, 0.5, alternative="less").pvalue
    assert student.sides(Z, margin=0.5).same == pytest.approx(max(above, below))


def test_values_without_spread_are_no_surer_than_their_rounding():
    same = np.full(5, 0.1)
    t = 0.1 / (0.05 / np.sqrt(5))
    assert student.one_sided(same, floor=0.05)[0] == pytest.approx(scipy.stats.t.sf(t, 4))
    assert student.one_sided(np.zeros(5), floor=0.05) == (0.5, 0.5)
    assert student.one_sided(np.zeros(5)) == (0.5, 0.5)


def test_one_value_decides_nothing():
    assert student.sides(np.array([3.0])).p == 1.0


def test_each_row_of_many_is_tested_by_itself():
    rows = np.array([Z, Z[::-1] - 0.3, Z * 0])
    tested = student.one_sided(rows, floor=1e-9)
    for row, up, down in zip(rows, *tested, strict=True):
        assert (up, down) == pytest.approx(student.one_sided(row, floor=1e-9))
    assert student.one_sided(Z[:2]) == pytest.approx(
        [scipy.stats.ttest_1samp(Z[:2], 0, alternative=way).pvalue for way in ("greater", "less")]
    )
