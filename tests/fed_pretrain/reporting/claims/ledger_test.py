"""From a study to its rows: looks, the family, verdicts, reasons and what more seeds would do."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats

from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.claims.row import Verdict
from tests.fed_pretrain.reporting import toy_study

NOISE = np.random.default_rng(8).normal(size=20)


def gains(folder, values, claims=("accuracy",), **plan):
    """A study whose pre-trained start is ahead by these values, a seed each."""
    finals = {
        ("random", "fedavg"): [0.5 + seed / 1000 for seed in range(len(values))],
        ("digits", "fedavg"): [0.5 + seed / 1000 + z for seed, z in enumerate(values)],
    }
    runs = toy_study.cells(folder, finals)
    plan = {"seeds": list(range(len(values))), **plan}
    return toy_study.study(runs, claims=list(claims), **plan)


def only(study):
    (row,) = ledger.rows(study)
    return row


def test_a_plan_that_fixes_its_seeds_is_judged_by_students_t_at_the_full_level(tmp_path):
    z = 0.1 + 0.02 * NOISE[:5]
    row = only(gains(tmp_path, z))
    assert row.verdict is Verdict.HOLDS
    assert row.values == pytest.approx(dict(enumerate(z)))
    assert row.p == row.adjusted_p == pytest.approx(scipy.stats.ttest_1samp(z, 0).pvalue)
    expected = scipy.stats.t.interval(0.95, 4, z.mean(), scipy.stats.sem(z))
    assert row.interval == row.adjusted_interval == pytest.approx(expected)


LADDER = {"looks": [5, 8, 12, 20], "seeds": list(range(20))}


def test_a_look_of_the_ladder_has_its_share_of_the_level(tmp_path):
    z = 0.1 + 0.02 * NOISE[:5]
    row = only(gains(tmp_path, z, **LADDER))
    assert row.p == pytest.approx(scipy.stats.ttest_1samp(z, 0).pvalue / 0.4)
    expected = scipy.stats.t.interval(1 - 0.05 * 0.4, 4, z.mean(), scipy.stats.sem(z))
    assert row.interval == pytest.approx(expected)


def test_what_an_earlier_look_has_shown_stays_shown(tmp_path):
    z = np.concatenate([0.1 + 0.02 * NOISE[:5], [0.05, -0.1, 0.12]])
    row = only(gains(tmp_path, z, **LADDER))
    first = scipy.stats.ttest_1samp(z[:5], 0).pvalue / 0.4
    second = scipy.stats.ttest_1samp(z, 0).pvalue / 0.3
    assert first < 0.05 < second
    assert row.p == pytest.approx(first)
    assert row.verdict is Verdict.HOLDS
    assert row.interval[0] > 0


def test_seeds_between_two_looks_are_not_looked_at(tmp_path):
    z = np.concatenate([0.1 + 0.02 * NOISE[:5], [-9.0, -9.0]])
    assert set(only(gains(tmp_path, z, **LADDER)).values) == set(range(5))


def test_before_the_first_look_there_is_an_interval_and_no_verdict(tmp_path):
    row = only(gains(tmp_path, 0.1 + 0.002 * NOISE[:3], **LADDER))
    assert (row.verdict, row.group, row.seeds_needed) == (Verdict.UNDECIDED, "seeds", 5)
    assert row.interval[0] > 0
    assert row.p is None
    assert row.why == "3 of the 5 seeds of the first look are finished"


def test_a_fixed_plan_is_not_judged_before_all_its_seeds_are_finished(tmp_path):
    study = gains(tmp_path, 0.1 + 0.002 * NOISE[:4])
    place = {"task": "toy", "start": "digits", "algorithm": "fedavg", "seed": 3}
    step = {"kind": "train", "status": "running", "coordinates": place}
    row = only(dataclasses.replace(study, steps=[step]))
    assert row.verdict is Verdict.UNDECIDED
    assert row.why == "3 of the 4 seeds of the first look are finished"


def test_rows_of_one_ledger_are_judged_together(tmp_path):
    z = 0.1 + 0.05 * NOISE[:5]
    alone = only(gains(tmp_path / "one", z))
    runs = []
    for task in ("toy", "other", "third"):
        finals = {("random", "a"): [0.5] * 5, ("digits", "a"): [0.5 + one for one in z]}
        runs += [
            toy_study.run(tmp_path / task, final, start=s, algorithm=a, seed=seed, task=task)
            for (s, a), several in finals.items()
            for seed, final in enumerate(several)
        ]
    tasks = {name: {"starts": toy_study.STARTS} for name in ("toy", "other", "third")}
    study = toy_study.study(runs, claims=["accuracy"], tasks=tasks)
    rows = ledger.rows(study)
    assert [row.p for row in rows] == [pytest.approx(alone.p)] * 3
    assert [row.adjusted_p for row in rows] == [pytest.approx(3 * alone.p)] * 3
    width = rows[0].adjusted_interval[1] - rows[0].adjusted_interval[0]
    assert width > rows[0].interval[1] - rows[0].interval[0]


def test_a_difference_within_the_margin_is_none(tmp_path):
    row = only(gains(tmp_path, 0.001 * NOISE[:8]))
    assert row.verdict is Verdict.EQUIVALENT


def test_starts_that_end_identical_need_no_test(tmp_path):
    row = only(gains(tmp_path, np.zeros(5)))
    assert (row.verdict, row.p) == (Verdict.EQUIVALENT, None)


def test_an_open_row_says_about_how_many_seeds_it_needs(tmp_path):
    z = 0.02 + 0.03 * (NOISE[:5] - NOISE[:5].mean()) / NOISE[:5].std(ddof=1)
    row = only(gains(tmp_path, z))
    assert (row.verdict, row.group) == (Verdict.UNDECIDED, "seeds")
    needed = next(
        n for n in range(6, 50) if scipy.stats.t.ppf(0.975, n - 1) < (2 / 3) * math.sqrt(n)
    )
    assert row.seeds_needed == needed


def test_an_effect_lost_in_its_noise_asks_for_no_seeds(tmp_path):
    z = 0.001 + 0.1 * (NOISE[:8] - NOISE[:8].mean())
    row = only(gains(tmp_path, z, **LADDER))
    assert (row.group, row.seeds_needed) == ("no effect", None)
    assert "20 seeds" in row.why


def test_one_seed_gives_a_value_and_nothing_more(tmp_path):
    row = only(gains(tmp_path, [0.1]))
    assert (row.verdict, row.interval, row.p) == (Verdict.UNDECIDED, None, None)
    assert (row.group, row.seeds_needed) == ("seeds", 5)


def test_runs_without_a_plan_are_judged_at_the_seeds_they_have(tmp_path):
    study = gains(tmp_path, 0.1 + 0.02 * NOISE[:5], seeds=None)
    assert only(study).verdict is Verdict.HOLDS


def test_a_study_is_continued_to_more_seeds_by_an_override(tmp_path):
    fixed = gains(tmp_path / "a", [0.1])
    assert ledger.override(fixed, 9) == "--set 'seeds={until: decided, at_most: 12}'"
    adding = gains(tmp_path / "b", [0.1], looks=[5, 8], seeds=list(range(8)))
    assert ledger.override(adding, 12) == "--set seeds.at_most=12"
    assert ledger.override(adding, 8) == ""


def test_more_seeds_are_given_more_minutes_where_the_plan_has_a_budget(tmp_path):
    study = gains(tmp_path, [0.1] * 5, **LADDER, budget={"minutes": 4.0})
    assert ledger.override(study, 8) == "--set budget.minutes=7"


def test_what_no_interval_covers_follows_from_what_each_seed_has_of_its_own(tmp_path):
    tasks = {"toy": {"starts": toy_study.STARTS, "per_seed": ["dataset"]}}
    sentence = ledger.scope(gains(tmp_path, [0.1], tasks=tasks))
    varied, _, fixed = sentence.partition("do not vary")
    assert "the partition" in varied
    assert "the pre-training run" in fixed


def test_what_seeds_vary_of_some_tasks_alone_is_said_of_those(tmp_path):
    runs = [
        toy_study.run(tmp_path, 0.5, task=task, start="random", seed=0) for task in ("toy", "words")
    ]
    tasks = {
        "toy": {"title": "toys", "starts": toy_study.STARTS, "per_seed": ["dataset", "pretrain"]},
        "words": {"starts": toy_study.STARTS, "per_seed": ["pretrain"]},
    }
    varied, _, fixed = ledger.scope(toy_study.study(runs, tasks=tasks)).partition("do not vary")
    assert "the partition of toys alone and the pre-training run;" in varied
    assert "the partition" not in fixed
