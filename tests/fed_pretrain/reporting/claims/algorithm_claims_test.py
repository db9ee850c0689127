"""Claims about algorithms, on accuracies chosen so that the answer is plain."""

import pytest

from fed_pretrain.reporting.claims import algorithm_claims
from tests.fed_pretrain.reporting import toy_study

BOTH = ("toy", "random", "digits")


def ranked(folder, orders):
    """Three algorithms whose order is given for each (start, seed), best first."""
    return toy_study.study(
        [
            toy_study.run(folder, 0.9 - place / 10, start=start, seed=seed, algorithm=name)
            for (start, seed), order in orders.items()
            for place, name in enumerate(order)
        ]
    )


def test_a_ranking_that_turns_over_stands_out_against_seeds_that_agree(tmp_path):
    orders = {
        ("random", 0): "abc",
        ("random", 1): "abc",
        ("digits", 0): "cba",
        ("digits", 1): "cba",
    }
    # Between seeds tau is 1, between the starts -1; the two seeds make one independent value.
    assert algorithm_claims.ranking_changes(ranked(tmp_path, orders), *BOTH) == [2.0]


def test_a_ranking_that_differs_as_much_between_seeds_has_not_changed(tmp_path):
    orders = {
        ("random", 0): "abc",
        ("random", 1): "cba",
        ("digits", 0): "abc",
        ("digits", 1): "cba",
    }
    assert algorithm_claims.ranking_changes(ranked(tmp_path, orders), *BOTH) == [-2.0]


def test_a_ranking_needs_three_algorithms_and_two_seeds(tmp_path):
    orders = {("random", 0): "abc", ("digits", 0): "cba"}
    assert algorithm_claims.ranking_changes(ranked(tmp_path, orders), *BOTH) == []


def unequal_study(folder):
    finals = {
        # (start, client update, server): accuracy with unequal work
        ("digits", "sgd", "adam"): 0.80,
        ("digits", "nova", "adam"): 0.75,
        ("digits", "proximal", "adam"): 0.70,
        ("digits", "sgd", "sgd"): 0.95,
        ("random", "sgd", "adam"): 0.50,
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
    assert algorithm_claims.plain_adam_bears_unequal_work(study, *BOTH) == [pytest.approx(0.05)]
    assert algorithm_claims.normalising_helps_random(study, *BOTH) == [pytest.approx(0.10)]


def test_equal_work_says_nothing_of_unequal_work(tmp_path):
    study = toy_study.study(
        [
            toy_study.run(tmp_path, 0.5, start=start, client=client, server="adam")
            for start in ("random", "digits")
            for client in ("sgd", "nova")
        ]
    )
    assert algorithm_claims.plain_adam_bears_unequal_work(study, *BOTH) == []
    assert algorithm_claims.normalising_helps_random(study, *BOTH) == []


def test_full_batch_clients_may_be_worse_by_less_than_the_margin(tmp_path):
    study = toy_study.study(
        [
            toy_study.run(tmp_path, 0.80, start="digits", client="sgd", server="adam"),
            toy_study.run(tmp_path, 0.79, start="digits", client="gd", server="adam"),
        ]
    )
    assert algorithm_claims.full_batch_is_enough(study, *BOTH) == [pytest.approx(0.01)]


@pytest.mark.parametrize("server", ["adam", "yogi", "adagrad", "adamw", "lamb", "rmsprop"])
def test_every_server_optimizer_but_sgd_counts_as_adaptive(tmp_path, server):
    study = toy_study.study(
        [
            toy_study.run(tmp_path, 0.9, start="digits", server=server),
            toy_study.run(tmp_path, 0.6, start="digits", server="sgd"),
        ]
    )
    assert algorithm_claims.adaptive_server(study, *BOTH) == [pytest.approx(0.3)]
