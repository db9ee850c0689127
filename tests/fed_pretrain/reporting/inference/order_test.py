import numpy as np
import pytest
import scipy.stats

from fed_pretrain.reporting.inference import order

NOISE = np.random.default_rng(2).normal(size=(8, 4)) * 0.01


def test_a_pair_has_scipys_paired_p_and_a_tie_has_no_sign():
    y = NOISE[:, :2] + np.array([0.0, 0.02])
    (p,), (sign,) = order.pairs(y)
    assert p == pytest.approx(scipy.stats.ttest_rel(y[:, 0], y[:, 1]).pvalue)
    assert sign == -1
    assert order.pairs(np.ones((5, 2)))[1][0] == 0


def test_algorithms_share_a_letter_where_none_of_them_is_told_apart():
    # The second cannot be told from its neighbours, which differ from each other.
    y = NOISE[:, :3] + np.array([0.5, 0.5, 0.5])
    y[:, 1] = y[:, 0] + np.array([0.3, -0.3] * 4)
    y[:, 2] = y[:, 0] - 0.1
    found = order.proven_order(y)
    first, second, third = (set(letters) for letters in found.letters)
    assert not first & third
    assert first & second
    assert second & third
    assert [found.rank(i) for i in range(3)] == ["1–2", "1–3", "2–3"]


def test_an_order_without_doubt_has_a_rank_each():
    found = order.proven_order(NOISE + np.array([0.1, 0.9, 0.5, 0.3]))
    assert [found.rank(i) for i in range(4)] == ["4", "1", "2", "3"]
    assert found.letters == ("d", "a", "b", "c")


def test_a_ranking_is_turned_by_a_pair_that_both_starts_resolve():
    first = order.pairs(NOISE + np.array([0.1, 0.2, 0.3, 0.4]))
    turned = order.pairs(NOISE[::-1] + np.array([0.4, 0.3, 0.2, 0.1]))
    kept = order.pairs(NOISE[::-1] + np.array([0.2, 0.3, 0.4, 0.5]))
    assert order.reversal(first, turned).up < 0.001 < order.reversal(first, turned).down
    assert order.reversal(first, kept).down < 0.001 < order.reversal(first, kept).up
    assert order.reversed_pairs(first, turned, 0.05) == (6, 6)
    assert order.reversed_pairs(first, kept, 0.05) == (0, 0)


def test_where_all_algorithms_tie_nothing_is_said():
    tied = order.pairs(np.ones((5, 3)))
    assert order.reversal(tied, tied).p == 1.0


def test_more_pairs_have_to_show_more_each():
    y = np.random.default_rng(6).normal(size=(6, 3)) * 0.01
    z = y[:, 0] - y[:, 1]
    # Alone the pair has a p of 0.03, which is too much for one of three pairs.
    y[:, 1] += z.mean() - scipy.stats.t.isf(0.015, 5) * scipy.stats.sem(z)
    assert order.pairs(y[:, :2])[0][0] == pytest.approx(0.03)
    assert order.proven_order(y[:, :2]).letters == ("a", "b")
    assert set(order.proven_order(y).letters[0]) & set(order.proven_order(y).letters[1])
