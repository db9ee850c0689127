"""The answer of a page is one sentence that says no more than the intervals do."""

import dataclasses

import pytest

from fed_pretrain.reporting import answer
from fed_pretrain.reporting.answer import Effect
from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.claims.row import Row, Verdict
from fed_pretrain.reporting.naming import Names
from tests.fed_pretrain.reporting import toy_study

ACCURACY = next(claim for claim in ledger.CLAIMS if claim.key == "accuracy")
CURVATURE = next(claim for claim in ledger.CLAIMS if claim.key == "curvature")


def row(task, estimate, half=0.05, verdict=Verdict.UNDECIDED, seeds=3, claim=ACCURACY):
    interval = None if half is None else (estimate - half, estimate + half)
    values = dict.fromkeys(range(seeds), estimate)
    return Row(
        claim, task, "random", "digits", values, estimate, interval, interval, None, None, verdict
    )


def told(*rows):
    return answer.of_effects([Effect(one.task, one) for one in rows])


H, F, U, E = Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED, Verdict.EQUIVALENT


def test_where_all_end_ahead_the_range_is_given_and_what_is_clear():
    assert told(row("Text", 0.49, verdict=H), row("Digits", 0.26), row("CNN", 0.35)) == (
        "Pre-trained weights end ahead on all three tasks, by 0.26 to 0.49 in accuracy; with three"
        " seeds only Text is clear: +0.49 (95 % interval +0.44 to +0.54)."
    )


def test_where_all_are_clear_it_says_so():
    assert told(row("Text", 0.49, verdict=H), row("CNN", 0.49, verdict=H)) == (
        "Pre-trained weights end ahead on both tasks, by 0.49 in accuracy; with three seeds both"
        " differences are clear."
    )


def test_where_signs_differ_both_sides_are_named():
    assert told(row("Text", 0.2, verdict=H), row("CNN", -0.1), row("Photos", 0.1, verdict=H)) == (
        "Pre-trained weights end ahead on Text (+0.20) and Photos (+0.10) and behind on CNN"
        " (−0.10) in accuracy; with three seeds Text and Photos are clear."
    )


def test_of_several_starts_on_one_task_only_the_starts_are_named(tmp_path):
    finals = {("random", "a"): [0.5] * 3, ("near", "a"): [0.7] * 3, ("far", "a"): [0.4] * 3}
    study = toy_study.study(toy_study.cells(tmp_path, finals))
    assert answer.answer(study, ledger.rows(study)).startswith(
        "Pre-trained weights end ahead from near (+0.20) and behind from far (−0.10) in accuracy;"
    )


def test_where_nothing_is_clear_no_task_is_named_as_clear():
    sentence = told(row("Text", 0.01, half=0.1), row("CNN", 0.02, half=0.1))
    assert sentence.endswith("; no difference is clear with three seeds.")


def test_where_all_end_behind_it_says_behind():
    sentence = told(row("Text", -0.2, verdict=F), row("CNN", -0.3, verdict=F))
    assert sentence.startswith("Pre-trained weights end behind on both tasks, by 0.20 to 0.30")


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (
            row("Text", 0.3, verdict=H),
            "Pre-trained weights end ahead by 0.30 in accuracy (95 % interval +0.25 to +0.35,"
            " three seeds).",
        ),
        (
            row("Text", 0.03),
            "Pre-trained weights end 0.030 ahead in accuracy, but no difference is clear with three"
            " seeds (95 % interval −0.020 to +0.080).",
        ),
        (
            row("Text", 0.3, half=None, seeds=1),
            "Pre-trained weights end 0.30 ahead in accuracy with the only seed, which decides"
            " nothing.",
        ),
        (
            row("Text", 0.002, half=0.01, verdict=E),
            "Pre-trained weights end where random ones do: the difference in accuracy is +0.0020"
            " (95 % interval −0.0080 to +0.012, three seeds).",
        ),
    ],
)
def test_one_task_is_told_with_its_interval_and_seeds(one, sentence):
    assert told(one) == sentence


def test_several_starts_of_a_task_are_comparisons_not_tasks():
    rows = [row("Text", 0.2, verdict=H), row("Text", 0.3, verdict=H)]
    assert "in both comparisons" in answer.of_effects(
        [Effect(f"Text from {i}", one) for i, one in enumerate(rows)]
    ).replace("in number both", "in both")


def test_a_study_without_accuracy_answers_by_its_checks(tmp_path):
    names = Names(toy_study.study([toy_study.run(tmp_path, 0.5, start="random")]))
    rows = [row("toy", 0.3, verdict=H, claim=CURVATURE), row("b", 0.1, claim=CURVATURE)]
    assert answer.of_checks(rows[:1], names) == f"{CURVATURE.short}: holds on toy."


def test_a_single_comparison_stands_beside_what_the_other_checks_came_to(tmp_path):
    finals = {("random", "a"): [0.5] * 3, ("digits", "a"): [0.7] * 3}
    study = toy_study.study(toy_study.cells(tmp_path, finals))
    rows = [row("toy", 0.2, verdict=H), row("toy", 1.0, claim=CURVATURE, verdict=F)]
    assert answer.answer(study, rows) == f"{told(rows[0])} Does not hold: flatter start."


def test_seeds_that_were_left_out_since_a_run_failed_are_not_forgotten():
    one = dataclasses.replace(
        row("a", 0.3, verdict=H), notes=("of the seeds that train; failed: 1",)
    )
    assert told(one).endswith("three seeds that train).")


def test_possible_effects_are_counted_as_seen_or_not():
    seen, not_seen = (row("a", 1, verdict=one) for one in (Verdict.SEEN, Verdict.NOT_SEEN))
    holds = row("a", 1, verdict=H)
    assert answer.counts([holds, seen]) == "1 of 2 checks holds and the possible effect is seen"
    assert answer.counts([holds, not_seen]).endswith("and the possible effect is not seen")
    assert answer.counts([holds, seen, not_seen]).endswith("1 of 2 possible effects is seen")
    assert answer.counts([holds, not_seen, not_seen]).endswith("none of 2 possible effects is seen")


def test_counts_leave_out_what_is_none():
    assert answer.counts([row("a", 1)]) == "The only check is undecided"
    assert answer.counts([row("a", 1, verdict=H)]) == "The only check holds"
    assert answer.counts([row("a", 1), row("b", 1)]) == "Both checks are undecided"
    assert answer.counts([row(name, 1) for name in "abc"]) == "All 3 checks are undecided"
    assert answer.counts([row("a", 1, verdict=H), row("b", 1)]) == (
        "1 of 2 checks holds and 1 is undecided"
    )
    assert answer.counts([row("a", 1, verdict=F), row("b", 1, verdict=F)]) == (
        "None of 2 checks holds and 2 do not"
    )
