"""Bytes by hand: a model of 100 bytes that train, 20 of them in the head, and 1,000 frozen."""

from fed_pretrain.experiment.training.costs import Traffic
from fed_pretrain.experiment.training.run import train
from tests.fed_pretrain.experiment.small_runs import small


def test_what_trains_goes_every_round_and_what_is_frozen_once() -> None:
    traffic = Traffic(100, 1000, models_down=2.0, models_up=1.5)
    assert traffic.round(1, ["a", "b"]) == (2 * 200 + 2 * 1000, 2 * 150)
    assert traffic.round(2, ["b", "c"]) == (2 * 200 + 1000, 2 * 150)
    resumed = Traffic(100, 1000, models_down=2.0, models_up=1.5)
    resumed.replay([["a", "b"], ["b", "c"]])
    assert resumed.round(3, ["a", "d"]) == traffic.round(3, ["a", "d"])


def test_while_the_head_moves_alone_the_rest_goes_once() -> None:
    traffic = Traffic(100, 1000, models_down=1.0, models_up=1.0, head_rounds=2, head_bytes=20)
    assert traffic.round(1, ["a", "b"]) == (2 * 20 + 2 * 1080, 2 * 20)
    assert traffic.round(2, ["b", "c"]) == (2 * 20 + 1080, 2 * 20)
    assert traffic.round(3, ["c", "d"]) == (2 * 100 + 1000, 2 * 100)


def test_a_run_counts_its_own_head(tmp_path) -> None:
    settings = (("head_rounds", 1),)
    rows = train(
        small(tmp_path, algorithm=None, algorithm_settings=settings, work={"sampling": "all"})
    ).rows
    head = 4 * 10 * (288 + 1)
    clients = rows[1]["clients"]
    assert rows[1]["bytes_up"] == clients * head
    assert rows[1]["bytes_down"] == rows[2]["bytes_down"] == rows[2]["bytes_up"]
    assert rows[2]["bytes_up"] > 2 * rows[1]["bytes_up"]
