"""Which curves are still on their way, from curves that are chosen here."""

from types import SimpleNamespace

import pytest

from fed_pretrain.reporting.claims.guards import still_rising

WHERE = SimpleNamespace(called=lambda side: side)


def told(*curves, margin=0.02):
    runs = [SimpleNamespace(series=lambda column, curve=curve: curve) for curve in curves]
    return still_rising(WHERE, SimpleNamespace(runs=lambda side: runs), ["digits"], margin)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.1, 0.5, 0.60, 0.63], ["at 10 rounds, digits still rising"]),
        ([0.1, 0.5, 0.63, 0.60], ["at 10 rounds, digits still falling"]),
        ([0.1, 0.2, 0.60, 0.61], []),
    ],
)
def test_the_last_fifth_of_the_rounds_is_what_counts(values, words):
    assert told(([0, 5, 8, 10], values)) == words


def test_two_points_are_a_curve_and_one_is_none():
    assert told(([0, 10], [0.1, 0.9])) == ["at 10 rounds, digits still rising"]
    assert told(([10], [0.9])) == []


def test_the_mean_over_the_runs_is_compared_with_the_margin():
    assert told(([0, 8, 10], [0, 0.5, 0.53]), ([0, 8, 10], [0, 0.5, 0.48])) == []
