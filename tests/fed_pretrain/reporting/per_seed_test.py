"""The statistics behind the claims, on runs whose accuracies are chosen so the answer is plain."""

import pytest

from fed_pretrain.reporting import per_seed
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
    # Between seeds tau is 1, between the starts -1.
    assert per_seed.ranking_changes(ranked(tmp_path, orders), *BOTH) == [2.0, 2.0]


def test_a_ranking_that_differs_as_much_between_seeds_has_not_changed(tmp_path):
    orders = {
        ("random", 0): "abc",
        ("random", 1): "cba",
        ("digits", 0): "abc",
        ("digits", 1): "cba",
    }
    assert per_seed.ranking_changes(ranked(tmp_path, orders), *BOTH) == [-2.0, -2.0]


def test_a_ranking_needs_three_algorithms_and_two_seeds(tmp_path):
    orders = {("random", 0): "abc", ("digits", 0): "cba"}
    assert per_seed.ranking_changes(ranked(tmp_path, orders), *BOTH) == []


def test_accuracy_is_compared_on_the_subject_without_its_iid_control(tmp_path):
    finals = {
        ("random", "dirichlet"): 0.4,
        ("digits", "dirichlet"): 0.7,
        ("random", "iid"): 0.9,
        ("digits", "iid"): 0.9,
    }
    study = toy_study.study(
        [toy_study.run(tmp_path, f, start=s, partition=p) for (s, p), f in finals.items()]
    )
    assert per_seed.final_accuracy(study, *BOTH) == [pytest.approx(0.3)]
    assert per_seed.gap_shrinks(study, *BOTH) == [pytest.approx(0.5 - 0.2)]


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
    assert per_seed.plain_adam_bears_unequal_work(study, *BOTH) == [pytest.approx(0.05)]
    assert per_seed.normalising_helps_random(study, *BOTH) == [pytest.approx(0.10)]


def test_equal_work_says_nothing_of_unequal_work(tmp_path):
    study = toy_study.study(
        [
            toy_study.run(tmp_path, 0.5, start=start, client=client, server="adam")
            for start in ("random", "digits")
            for client in ("sgd", "nova")
        ]
    )
    assert per_seed.plain_adam_bears_unequal_work(study, *BOTH) == []
    assert per_seed.normalising_helps_random(study, *BOTH) == []


def test_full_batch_clients_may_be_worse_by_less_than_the_margin(tmp_path):
    study = toy_study.study(
        [
            toy_study.run(tmp_path, 0.80, start="digits", client="sgd", server="adam"),
            toy_study.run(tmp_path, 0.79, start="digits", client="gd", server="adam"),
        ]
    )
    assert per_seed.full_batch_is_enough(study, *BOTH) == [pytest.approx(0.01)]


def test_one_basin_is_told_by_the_barrier_on_held_out_data(tmp_path):
    def line(barrier):
        train = {"shares": [0, 1], "loss": [1, 1], "barrier": 9.0}
        test = {"shares": [0, 1], "loss": [1, 1], "barrier": barrier}
        return {"landscape": {"splits": {"test": test, "train": train}}}

    barriers = {"random": (1.5, 1.0), "digits": (0.5, 0.25)}
    study = toy_study.study(
        [],
        [
            toy_study.analysis(tmp_path, line(value), start=start, seed=seed)
            for start, values in barriers.items()
            for seed, value in enumerate(values)
        ],
    )
    assert per_seed.same_basin(study, *BOTH) == [1.0, 0.75]
