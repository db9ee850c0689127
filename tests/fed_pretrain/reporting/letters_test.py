import itertools

import numpy as np
import pytest
import scipy.stats

from fed_pretrain.reporting.letters import compact_letters, resolved


def test_only_differences_beyond_seed_noise_are_resolved():
    noise = np.random.default_rng(0).normal(0, 0.005, (3, 5))
    groups = [
        dict(enumerate(level + row)) for level, row in zip((0.8, 0.8, 0.5), noise, strict=True)
    ]
    assert resolved(groups) == {(0, 2), (1, 2)}


def test_two_seeds_less_than_noise_and_equal_runs_resolve_nothing():
    assert resolved([{0: 0.5}, {0: 0.9}]) == set()
    assert resolved([{0: 0.5, 1: 0.6}, {0: 0.5, 1: 0.6}]) == set()


def test_among_equal_algorithms_a_false_pair_is_rare():
    rng = np.random.default_rng(1)
    wrong = sum(
        bool(resolved([dict(enumerate(row)) for row in rng.normal(0.8, 0.02, (4, 5))]))
        for _ in range(300)
    )
    # 5 % of 300 would be 15; 30 is its 99.99 % quantile.
    assert wrong <= scipy.stats.binom.ppf(0.9999, 300, 0.05)


@pytest.mark.parametrize("seed", range(20))
def test_algorithms_share_a_letter_exactly_where_they_are_not_told_apart(seed):
    rng = np.random.default_rng(seed)
    pairs = list(itertools.combinations(range(6), 2))
    apart = {pair for pair in pairs if rng.random() < 0.5}
    letters = compact_letters(list(range(6)), apart)
    assert {p for p in pairs if not set(letters[p[0]]) & set(letters[p[1]])} == apart
