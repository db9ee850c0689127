"""Bytes by hand: a model of 100 bytes that train, 20 of them in the head, and 1,000 frozen."""

import numpy as np

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


def test_a_corrected_kernel_comes_as_the_factors_of_each_missed_round_or_whole() -> None:
    def traffic() -> Traffic:
        """Two adapters whose factors are 10 and 30 bytes, their kernels 45 and 1,000."""
        return Traffic(100, 1045, 1.0, 1.0, corrections=[(10, 45), (30, 1000)])

    counted = traffic()
    assert counted.round(1, ["a", "b", "c"]) == (3 * (100 + 1045), 300)
    # Three clients make a correction of twice the rank.
    assert counted.round(2, ["a", "d"]) == (2 * 100 + 2 * (10 + 30) + 1045, 200)
    # Two rounds are missing, three factors together; then five, above the first kernel's bytes.
    assert counted.round(3, ["b", "d", "e"])[0] == 3 * 100 + (30 + 90) + (10 + 30) + 1045
    assert counted.round(4, ["c"])[0] == 100 + (45 + 150)
    resumed = traffic()
    resumed.replay([["a", "b", "c"], ["a", "d"], ["b", "d", "e"], ["c"]])
    assert resumed.round(5, ["a", "c"]) == counted.round(5, ["a", "c"])


def test_what_means_of_factors_leave_out_has_the_rank_that_is_counted() -> None:
    generator = np.random.default_rng(0)
    clients, rank = 4, 3
    a, b = generator.normal(size=(clients, 20, rank)), generator.normal(size=(clients, rank, 30))
    weights = generator.dirichlet(np.ones(clients))
    mean_a, mean_b = (np.tensordot(weights, factors, 1) for factors in (a, b))
    left_out = np.tensordot(weights, a @ b, 1) - mean_a @ mean_b
    assert np.linalg.matrix_rank(left_out) == (clients - 1) * rank


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
