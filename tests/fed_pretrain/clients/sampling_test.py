"""Cohorts: purity, and the distributions they claim."""

import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fed_pretrain.clients.sampling import cohort
from groundwork.errors import UserError

CLIENTS = [f"client_{i}" for i in range(7)]


@settings(deadline=None)
@given(
    clients=st.lists(st.text(max_size=5), min_size=1, max_size=20, unique=True),
    seed=st.integers(0, 99),
    rounds=st.lists(st.integers(0, 50), min_size=1, max_size=8),
    data=st.data(),
)
def test_a_cohort_depends_on_seed_and_round_alone(clients, seed, rounds, data):
    num = data.draw(st.integers(1, len(clients)))
    alone = {r: cohort(clients, num, seed, r) for r in rounds}
    for r in reversed(rounds):
        again = cohort(clients, num, seed, r)
        assert again == alone[r]
        assert len(set(again)) == num
        assert set(again) <= set(clients)


@given(seed=st.integers(0, 99), round_number=st.integers(0, 99), num=st.integers(1, 6))
def test_a_smaller_cohort_is_the_beginning_of_a_larger_one(seed, round_number, num):
    larger = cohort(CLIENTS, num + 1, seed, round_number)
    assert cohort(CLIENTS, num, seed, round_number) == larger[:num]


def test_uniform_cohorts_hold_every_client_equally_often():
    rounds = 6000
    counts = collections.Counter(c for r in range(rounds) for c in cohort(CLIENTS, 3, 5, r))
    expected = rounds * 3 / 7
    for client in CLIENTS:
        assert abs(counts[client] - expected) < 5 * np.sqrt(expected)


def test_weighted_draws_follow_the_weights_and_never_take_a_weight_of_zero():
    weights = [0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0]
    rounds = 6000
    firsts = collections.Counter(
        cohort(CLIENTS, 2, 5, r, "weighted", weights)[0] for r in range(rounds)
    )
    for client, weight in zip(CLIENTS, weights, strict=True):
        expected = rounds * weight / 10
        assert abs(firsts[client] - expected) <= 5 * np.sqrt(expected)
    everyone = cohort(CLIENTS, 4, 5, 0, "weighted", weights)
    assert set(everyone) == set(CLIENTS[1:5])


def test_the_fixed_cohort_is_the_same_in_every_round():
    assert len({tuple(cohort(CLIENTS, 3, 5, r, "fixed")) for r in range(9)}) == 1


def test_a_poisson_sample_draws_each_client_by_itself():
    """Sizes and pairs are binomial, and a round may have nobody."""
    rounds = [cohort(CLIENTS, 2, 5, r, "poisson") for r in range(4000)]
    sizes = np.array([len(one) for one in rounds])
    assert sizes.min() == 0
    assert abs(sizes.mean() - 2) < 0.1
    assert abs(sizes.var() - 2 * 5 / 7) < 0.1
    assert abs(np.mean([set(CLIENTS[:2]) <= set(one) for one in rounds]) - 4 / 49) < 0.015


def test_in_turn_everyone_comes_once_before_anyone_again():
    drawn = [c for r in range(1, 8) for c in cohort(CLIENTS, 3, 5, r, "in_turn")]
    assert drawn == 3 * drawn[:7]
    assert sorted(drawn[:7]) == sorted(CLIENTS) != drawn[:7]


def test_full_participation_keeps_the_given_order():
    assert cohort(CLIENTS, 3, 5, 0, "all") == CLIENTS


@pytest.mark.parametrize(
    ("num", "how", "weights", "names"),
    [
        (8, "uniform", None, "only 7 clients"),
        (0, "uniform", None, "--clients_per_round"),
        (2, "often", None, "--sampling"),
        (2, "weighted", None, "needs the clients' weights"),
        (2, "weighted", [1.0], "1 weights"),
        (2, "weighted", [1, 0, 0, 0, 0, 0, 0], "only 1 clients"),
        (2, "weighted", [1, 1, -1, 0, 0, 0, 0], "not negative"),
    ],
)
def test_a_cohort_that_cannot_be_drawn_is_refused_in_a_sentence(num, how, weights, names):
    with pytest.raises(UserError, match=names):
        cohort(CLIENTS, num, 1, 1, how, weights)
