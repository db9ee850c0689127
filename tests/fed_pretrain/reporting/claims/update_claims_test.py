"""Claims that follow the learning rates, with and without the control of equal rates."""

import math

import pytest

from fed_pretrain.reporting.claims import update_claims
from tests.fed_pretrain.reporting import toy_study
from tests.fed_pretrain.reporting.claims.measuring import measured

SEEDS = range(5)


def far(value):
    return {"distances": {"rounds": [0, 4], "to_final": [value, 0.0]}}


def distance_study(folder, own, controls=None, finals=None):
    """own: the distance by start; controls: by (start, whose rates)."""
    finals = finals or {}
    runs = [
        toy_study.run(folder, 0.8, far(value * (1 + seed / 100)), start=start, seed=seed)
        for start, value in own.items()
        for seed in SEEDS
    ]
    crossed = [
        toy_study.run(
            folder,
            finals.get((start, rates), {}).get(seed, 0.8),
            far(value * (1 + seed / 90)),
            start=start,
            rates=rates,
            seed=seed,
        )
        for (start, rates), value in (controls or {}).items()
        for seed in SEEDS
    ]
    return toy_study.study(runs, controls=crossed)


OWN = {"random": 5.08, "digits": 1.47}


def test_each_start_at_its_own_rates_is_seen_or_not_and_never_holds(tmp_path):
    found = measured(distance_study(tmp_path, OWN), update_claims.DISTANCE)
    assert found.existential
    assert found.estimate == pytest.approx(math.log(5.08 / 1.47))


def test_the_distance_is_told_as_a_share_of_the_path_too(tmp_path):
    runs = [
        toy_study.run(tmp_path, 0.8, far(value), start=start, columns={"distance_moved": (None, 8)})
        for start, value in (("random", 4.0), ("digits", 2.0))
    ]
    found = measured(toy_study.study(runs), update_claims.DISTANCE)
    told = "distance over the length of the path: 0.50 from random weights, 0.25 from digits"
    assert told in found.notes


def test_a_start_that_is_nearer_by_its_rates_alone_is_farther_at_equal_ones(tmp_path):
    crossed = {("random", "digits"): 0.95, ("digits", "random"): 16.0}
    found = measured(distance_study(tmp_path, OWN, crossed), update_claims.DISTANCE)
    assert not found.existential
    assert found.guarded.down < 0.001
    each = (math.log(0.95 / 1.47), math.log(5.08 / 16.0))
    assert found.estimate == pytest.approx(sum(each) / 2, abs=0.02)
    low, high = found.bounds(0.05)
    assert low < min(each)
    assert max(each) < high < 0


def test_rates_that_disagree_decide_nothing(tmp_path):
    crossed = {("random", "digits"): 0.95, ("digits", "random"): 2.0}
    found = measured(distance_study(tmp_path, OWN, crossed), update_claims.DISTANCE)
    assert found.guarded.p > 0.9


@pytest.mark.parametrize("trained", [0, 1])
def test_rates_at_which_most_seeds_of_a_start_do_not_train_are_no_comparison(tmp_path, trained):
    crossed = {("random", "digits"): 0.95, ("digits", "random"): 16.0}
    stuck = dict.fromkeys(SEEDS[trained:], 0.1)
    study = distance_study(tmp_path, OWN, crossed, finals={("digits", "random"): stuck})
    found = measured(study, update_claims.DISTANCE)
    assert found.existential
    assert found.estimate == pytest.approx(math.log(0.95 / 1.47), abs=0.02)
    assert any("at the rates of digits only" in note for note in found.notes)


def test_misaligned_filters_are_counted_beyond_those_of_a_random_step(tmp_path):
    def shares(start, chance):
        content = {"rounds": [0, 4], "total": [start, 0.0], "random_step": chance}
        return {"misalignment": content}

    values = {"random": (0.5, 0.4), "digits": (0.3, 0.25)}
    runs = [
        toy_study.run(tmp_path, 0.8, shares(total + seed / 1000, chance), start=start, seed=seed)
        for start, (total, chance) in values.items()
        for seed in SEEDS
    ]
    found = measured(toy_study.study(runs), update_claims.MISALIGNED)
    assert found.estimate == pytest.approx((0.5 - 0.4) - (0.3 - 0.25))


def test_diversity_is_compared_by_its_ratio(tmp_path):
    columns = {"random": (0.8, 0.4), "digits": (0.4, 0.2)}
    runs = [
        toy_study.run(
            tmp_path, 0.8 + seed / 100, start=s, seed=seed, columns={"gradient_diversity": pair}
        )
        for s, pair in columns.items()
        for seed in SEEDS
    ]
    found = measured(toy_study.study(runs), update_claims.DIVERSITY)
    assert found.estimate == pytest.approx(math.log(2))
    # The same in every seed, to the last bit: that is one replicate.
    assert found.guarded.p == 1.0
