import math

from fed_pretrain.experiment.assembly.run_config import LimitConfig
from fed_pretrain.experiment.training.stopping import reason_to_stop
from fed_pretrain.experiment.workdir.metrics import best_index, best_round


def rows(*losses):
    return [
        {"round": r, "eval_loss": loss, "eval_accuracy": 1 - loss / 10}
        for r, loss in enumerate(losses)
    ]


def test_without_limits_nothing_stops_a_run():
    assert reason_to_stop(rows(1, 2, 3, 4), LimitConfig(), seconds=1e9) is None


def test_the_target_accuracy_stops_the_run_that_reaches_it():
    limits = LimitConfig(target_accuracy=0.9)
    assert reason_to_stop(rows(5, 2), limits, 0) is None
    assert "target accuracy" in reason_to_stop(rows(5, 1), limits, 0)


def test_patience_counts_evaluations_since_the_best_one():
    limits = LimitConfig(patience=2)
    assert reason_to_stop(rows(3, 1, 2), limits, 0) is None
    assert "not improved for 2" in reason_to_stop(rows(3, 1, 2, 1), limits, 0)


def test_the_time_limit_stops_the_run():
    assert "time limit" in reason_to_stop(rows(1), LimitConfig(max_seconds=5), 5.1)


def test_a_nan_accuracy_is_never_the_best_and_the_earliest_wins_a_tie():
    assert best_index(rows(math.nan, 3.0, 2.0, 2.0)) == 2


def test_the_best_round_is_one_whose_weights_are_kept():
    assert best_round(rows(4.0, 1.0, 2.0), kept=[0, 2]) == 2
    assert best_round(rows(4.0, 1.0, 2.0), kept=[]) == 0
