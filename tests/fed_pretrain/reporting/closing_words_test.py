"""The last lines of a study in the terminal."""

from fed_pretrain.reporting.claims.row import Row, Verdict
from fed_pretrain.reporting.closing_words import checks
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
