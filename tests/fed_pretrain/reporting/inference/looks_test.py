import pytest

from fed_pretrain.reporting.inference import looks


def test_the_shares_of_a_ladder_use_the_level_up():
    assert looks.ladder(5, 20).weights == looks.LADDER
    assert sum(looks.LADDER.values()) == pytest.approx(1.0)
    assert sum(looks.ladder(8, 20).weights.values()) == pytest.approx(1.0)


def test_more_looks_leave_the_shares_of_those_before():
    assert looks.ladder(5, 12).weights.items() <= looks.ladder(5, 20).weights.items()


def test_a_plan_that_fixes_its_seeds_is_judged_once():
    assert looks.one_look(3).weights == {3: 1.0}
    assert looks.of_plan({"seeds": [3, 4, 5]}) is None
    assert looks.of_plan({"seeds": list(range(12)), "looks": [5, 8, 12]}).sizes == (5, 8, 12)


def test_holm_multiplies_by_the_hypotheses_left_and_never_falls():
    assert looks.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert looks.holm([0.5, 0.9]) == [1.0, 1.0]
