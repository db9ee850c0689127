"""The last lines of a study in the terminal."""

from fed_pretrain.reporting.claims.row import Row, Verdict
from fed_pretrain.reporting.closing_words import checks, closing_words
from tests.fed_pretrain.reporting import toy_study
from tests.fed_pretrain.reporting.answer_test import row


def test_the_checks_are_counted_by_their_verdicts():
    rows: list[Row] = [
        row("Text", 0.2, verdict=Verdict.FAILS),
        row("CNN", 0.2, verdict=Verdict.HOLDS),
        row("Photos", 0.2, verdict=Verdict.HOLDS),
        row("Digits", 0.0),
    ]
    assert checks(rows) == "3 of 4 checks decided: holds 2, does not hold 1."
    assert checks(rows[3:]) == "0 of 1 check decided."


def test_a_study_ends_with_its_question_its_answer_and_how_sure_it_is(tmp_path):
    question, answer, sure = closing_words(toy_study.on_disk(tmp_path, claims=["accuracy"]))
    assert question == "Which start?"
    assert answer.startswith("Pre-trained weights end ahead")
    assert sure == "1 of 1 check decided: holds 1."


def test_a_study_without_a_pre_trained_start_has_no_checks(tmp_path):
    lines = closing_words(toy_study.on_disk(tmp_path, starts=()))
    assert len(lines) == 2
    assert "no pre-trained start is compared" in lines[1]
