"""Claims about algorithms, on accuracies chosen so that the answer is plain."""

import numpy as np
import pytest

from fed_pretrain.reporting.claims import algorithm_claims
from tests.fed_pretrain.reporting import toy_study
from tests.fed_pretrain.reporting.claims.measuring import measured

NOISE = np.random.default_rng(4).normal(size=(2, 4, 6)) * 0.002
STARTS = ("random", "digits")


def several(folder, means, noise=NOISE, **others):
    """Six seeds of each algorithm: `means` has an accuracy by start and algorithm."""
    runs = [
        toy_study.run(
            folder,
            mean + noise[i][j][seed],
            start=start,
            algorithm=f"a{j}",
            seed=seed,
            server=("adam", "sgd", "yogi", "rmsprop")[j],
            columns={"eval_loss": (3.0, 1.0 - mean - noise[i][j][seed])},
            **others,
        )
        for i, start in enumerate(STARTS)
        for j, mean in enumerate(means[start])
        for seed in range(6)
    ]
    return toy_study.study(runs)


def test_a_ranking_that_turns_over_is_told_from_one_that_stays(tmp_path):
    turned = {"random": (0.5, 0.6, 0.7, 0.8), "digits": (0.8, 0.7, 0.6, 0.5)}
    found = measured(several(tmp_path / "a", turned), algorithm_claims.RANKING)
    assert (found.estimate, found.bounds(0.05)) == (6.0, (6.0, 6.0))
    assert found.guarded.up < 0.001
    kept = {"random": (0.5, 0.6, 0.7, 0.8), "digits": (0.6, 0.7, 0.8, 0.9)}
    found = measured(several(tmp_path / "b", kept), algorithm_claims.RANKING)
    assert (found.estimate, found.guarded.up) == (0.0, 1.0)
    assert found.guarded.down < 0.001


def test_algorithms_that_tie_are_in_no_order(tmp_path):
    finals = {(start, name): [0.5] * 5 for start in STARTS for name in "abc"}
    study = toy_study.study(toy_study.cells(tmp_path, finals))
    found = measured(study, algorithm_claims.RANKING)
    assert found.estimate == 0.0
    assert found.guarded.p == 1.0


def test_a_spread_is_what_is_left_without_the_noise_of_seeds(tmp_path):
    means = {"random": (0.5, 0.6, 0.7, 0.8), "digits": (0.80, 0.81, 0.80, 0.81)}
    found = measured(several(tmp_path, means), algorithm_claims.SPREAD)
    true = np.std(means["random"], ddof=1) - np.std(means["digits"], ddof=1)
    assert found.estimate == pytest.approx(true, abs=0.003)
    assert found.guarded.up < 0.001


def test_a_start_at_chance_has_no_spread_to_compare(tmp_path):
    means = {"random": (0.1, 0.11, 0.12, 0.5), "digits": (0.80, 0.81, 0.80, 0.81)}
    found = measured(several(tmp_path, means), algorithm_claims.SPREAD)
    assert [guard.group for guard in found.guards if not guard.likely] == ["chance"]
    assert found.guarded.p == 1.0


def test_a_ranking_needs_three_algorithms(tmp_path):
    finals = {(start, name): [0.5, 0.6] for start in STARTS for name in "ab"}
    study = toy_study.study(toy_study.cells(tmp_path, finals))
    assert measured(study, algorithm_claims.RANKING) is None


def unequal_study(folder):
    finals = {
        # (start, client update, server): accuracy with unequal work
        ("digits", "sgd", "adam"): 0.80,
        ("digits", "nova", "adam"): 0.75,
        ("digits", "proximal", "adam"): 0.70,
        ("digits", "sgd", "sgd"): 0.95,
        ("random", "sgd", "adam"): 0.50,
        ("random", "sgd", "sgd"): 0.50,
        ("random", "nova", "sgd"): 0.60,
    }
    unequal = [
        toy_study.run(folder, f, start=s, client=c, server=o, varied=0.3, work="unequal")
        for (s, c, o), f in finals.items()
    ]
    equal = [
        toy_study.run(folder, 0.99, start="digits", client="nova", server="adam", work="equal"),
        toy_study.run(folder, 0.99, start="random", client="sgd", server="sgd", work="equal"),
    ]
    return toy_study.study([*unequal, *equal])


def test_unequal_work_is_judged_on_the_runs_that_have_it(tmp_path):
    study = unequal_study(tmp_path)
    assert measured(study, algorithm_claims.UNEQUAL_WORK).estimate == pytest.approx(0.05)
    # Nova meets SGD clients at the server that both have.
    assert measured(study, algorithm_claims.UNEQUAL_WORK_RANDOM).estimate == pytest.approx(0.10)


def test_equal_work_says_nothing_of_unequal_work(tmp_path):
    study = toy_study.study(
        [
            toy_study.run(tmp_path, 0.5, start=start, client=client, server="adam")
            for start in STARTS
            for client in ("sgd", "nova")
        ]
    )
    assert measured(study, algorithm_claims.UNEQUAL_WORK) is None
    assert measured(study, algorithm_claims.UNEQUAL_WORK_RANDOM) is None


def full_batch_study(folder, sgd, gd, before):
    runs = [
        toy_study.run(
            folder,
            final + seed / 500 + (client == "gd") * 0.001 * (seed % 2),
            before=0.1 if start == "random" else before,
            start=start,
            client=client,
            server="adam",
            seed=seed,
        )
        for start in STARTS
        for client, final in (("sgd", sgd), ("gd", gd))
        for seed in range(5)
    ]
    return toy_study.study(runs)


def test_full_batch_clients_may_be_worse_by_less_than_the_margin(tmp_path):
    study = full_batch_study(tmp_path, 0.80, 0.79, 0.1)
    found = measured(study, algorithm_claims.FULL_BATCH)
    assert found.estimate == pytest.approx(0.01 + 0.0004)
    assert found.guarded.up < 0.001


@pytest.mark.parametrize("stuck_at", [0.1, 0.56])
def test_full_batches_are_not_enough_because_nothing_was_learned(tmp_path, stuck_at):
    found = measured(
        full_batch_study(tmp_path, stuck_at, stuck_at, stuck_at), algorithm_claims.FULL_BATCH
    )
    assert found.guarded.p == 1.0


@pytest.mark.parametrize("server", ["adam", "yogi", "adagrad", "adamw", "lamb", "rmsprop"])
def test_every_server_optimizer_but_sgd_counts_as_adaptive(tmp_path, server):
    study = toy_study.study(
        [
            toy_study.run(tmp_path, final, start=start, server=name)
            for start in STARTS
            for name, final in ((server, 0.9), ("sgd", 0.6))
        ]
    )
    assert measured(study, algorithm_claims.ADAPTIVE_SERVER).estimate == pytest.approx(0.3)


def test_servers_are_compared_by_their_means_over_client_updates(tmp_path):
    finals = {("adam", "sgd"): 0.9, ("adam", "proximal"): 0.5, ("sgd", "sgd"): 0.6}
    finals |= {("sgd", "proximal"): 0.6}
    runs = [
        toy_study.run(tmp_path, final, start=start, server=server, client=client)
        for start in STARTS
        for (server, client), final in finals.items()
    ]
    # The best single cell would have said 0.3.
    found = measured(toy_study.study(runs), algorithm_claims.ADAPTIVE_SERVER)
    assert found.estimate == pytest.approx(0.1)


def test_an_algorithm_beside_a_grid_takes_no_part_in_its_comparisons(tmp_path):
    finals = {("adam", "sgd"): 0.9, ("adam", "proximal"): 0.8, ("sgd", "sgd"): 0.6}
    finals |= {("sgd", "proximal"): 0.7, ("sgd", "scaffold"): 0.95}
    study = _of_each(tmp_path, finals)
    assert measured(study, algorithm_claims.ADAPTIVE_SERVER).estimate == pytest.approx(0.2)
    # One pair of servers and one of client updates, where single algorithms would be ten pairs.
    assert measured(study, algorithm_claims.RANKING).notes == [
        "0 of 2 pairs are in opposite orders as measured"
    ]


def test_an_algorithm_equal_to_another_bit_for_bit_counts_once(tmp_path):
    means = {"random": (0.5, 0.6, 0.7, 0.7), "digits": (0.8, 0.7, 0.75, 0.75)}
    noise = NOISE.copy()
    noise[:, 3] = noise[:, 2]
    found = measured(several(tmp_path, means, noise=noise), algorithm_claims.RANKING)
    assert found.bounds(0.05)[1] <= 3
    assert "a3 equals another algorithm bit for bit" in found.notes


def test_servers_and_client_updates_are_told_apart_where_the_grid_has_both(tmp_path):
    finals = {("adam", "sgd"): 0.9, ("adam", "proximal"): 0.9, ("sgd", "sgd"): 0.7}
    finals |= {("sgd", "proximal"): 0.7}
    found = measured(_of_each(tmp_path, finals), algorithm_claims.ADAPTIVE_SERVER)
    apart = 0.2 / np.sqrt(2)
    told = f"standard deviation of the true means: {apart:.3f} of servers, 0.000 of client updates"
    assert told in found.notes


def _of_each(tmp_path, finals):
    """Three seeds of each (server, client) from every start, a hundredth apart."""
    return toy_study.study(
        [
            toy_study.run(
                tmp_path, final + seed / 100, start=start, server=server, client=client, seed=seed
            )
            for start in STARTS
            for (server, client), final in finals.items()
            for seed in range(3)
        ]
    )
