"""A ratio of two times says something only if both did the same work."""

import numpy as np
import pytest

from benchmarks.rounds import agreement, speed
from benchmarks.rounds.contestant import Contestant

BEGIN = [np.full([3], 1.0, np.float32), np.full([2, 2], -2.0, np.float32)]


class Halving(Contestant):
    """Halves its weights each round, and adds `error`."""

    def __init__(self, factor: float = 0.5, error: float = 0.0) -> None:
        self.factor, self.error = factor, error

    def restart(self, weights):
        self._weights = list(weights)

    def round(self):
        self._weights = [self.factor * w + self.error for w in self._weights]

    def weights(self):
        return self._weights

    def close(self):
        pass


def compared(**others):
    return agreement.compare({"bound": Halving(), **others}, BEGIN, "fresh")


def test_differences_are_told_after_each_of_three_rounds():
    found = compared(stock=Halving(error=0.5))
    assert found.differences["stock"] == pytest.approx([0.5, 0.75, 0.875])
    assert found.differences["bound"] == [0.0, 0.0, 0.0]
    assert found.moved == pytest.approx(1.75)


def test_a_small_error_agrees_and_a_large_one_does_not():
    assert compared(device=Halving(error=1e-5)).holds("device", "bound")
    assert not compared(device=Halving(error=1e-4)).holds("device", "bound")


def test_weights_that_did_not_move_agree_about_nothing():
    still = agreement.compare({"bound": Halving(1.0), "device": Halving(1.0)}, BEGIN, "fresh")
    assert not still.holds("device", "bound")


def test_a_ratio_is_refused_unless_both_agree():
    seconds = {"bound": [1.0, 2.0], "device": [1.0, 2.2], "stock": [3.0, 8.8]}
    found = [compared(device=Halving(), stock=Halving(error=0.1))]
    assert speed.ratio(seconds, found, "stock", "device") is None
    assert speed.ratio(seconds, found, "device", "bound") == {
        "value": pytest.approx(1.05),
        "agreed_from": "fresh",
    }


def test_nudged_weights_lie_one_unit_in_the_last_place_away():
    for before, after in zip(BEGIN, agreement.nudged(BEGIN), strict=True):
        apart = np.abs(after.view(np.int32) - before.view(np.int32))
        assert after.dtype == np.float32
        assert (apart == 1).all()
