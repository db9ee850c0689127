"""The statistics behind the claims, on runs whose accuracies are chosen so the answer is plain."""

import math

import pytest

from fed_pretrain.reporting.claims import per_seed
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
    assert per_seed.ranking_changes(ranked(tmp_path, orders), *BOTH) == [2.0]


def test_a_ranking_that_differs_as_much_between_seeds_has_not_changed(tmp_path):
    orders = {
        ("random", 0): "abc",
        ("random", 1): "cba",
        ("digits", 0): "abc",
        ("digits", 1): "cba",
    }
    assert per_seed.ranking_changes(ranked(tmp_path, orders), *BOTH) == [-2.0]


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


def line(barrier):
    train = {"shares": [0, 1], "loss": [1, 1], "barrier": 9.0}
    test = {"shares": [0, 1], "loss": [1, 1], "barrier": barrier}
    return {"landscape": {"splits": {"test": test, "train": train}}}


def test_one_basin_is_told_by_the_barrier_on_held_out_data(tmp_path):
    barriers = {"random": (1.5, 1.0), "digits": (0.5, 0.25)}
    analyses = [
        toy_study.analysis(tmp_path, line(value), start=start, seed=seed, algorithm="fedavg")
        for start, values in barriers.items()
        for seed, value in enumerate(values)
    ]
    assert per_seed.same_basin(toy_study.study([], analyses), *BOTH) == [1.0, 0.75]


def test_the_barrier_of_a_seed_is_the_mean_over_its_algorithms(tmp_path):
    analyses = [
        toy_study.analysis(tmp_path, line(value), start="random", algorithm=name)
        for name, value in {"fedavg": 1.0, "fedadam": 2.0}.items()
    ]
    assert per_seed.barriers(toy_study.study([], analyses), "toy", "random") == {0: 1.5}


def test_a_line_from_the_start_to_the_final_model_tells_nothing_of_one_basin(tmp_path):
    analyses = [toy_study.analysis(tmp_path, line(1.0), start="random")]
    study = toy_study.study([], analyses, analyze={"it": {"beside": ""}})
    assert per_seed.barriers(study, "toy", "random") == {}


def test_an_eigenvalue_that_did_not_converge_is_left_out(tmp_path):
    def top(value, converged):
        return {"eigenvalues": {"top": {"eigenvalues": [value], "converged": converged}}}

    study = toy_study.study(
        [],
        [
            toy_study.analysis(tmp_path, top(40.0, True), start="random", seed=0),
            toy_study.analysis(tmp_path, top(10.0, True), start="digits", seed=0),
            toy_study.analysis(tmp_path, top(40.0, True), start="random", seed=1),
            toy_study.analysis(tmp_path, top(1.0, False), start="digits", seed=1),
        ],
    )
    assert per_seed.flatter(study, *BOTH) == [pytest.approx(math.log(4.0))]


def test_an_algorithm_that_only_one_start_has_finished_is_not_compared(tmp_path):
    study = toy_study.study(
        [
            toy_study.run(tmp_path, 0.5, start="random", algorithm="fedavg"),
            toy_study.run(tmp_path, 0.9, start="random", algorithm="fedadam"),
            toy_study.run(tmp_path, 0.7, start="digits", algorithm="fedavg"),
        ]
    )
    assert per_seed.final_accuracy(study, *BOTH) == [pytest.approx(0.2)]


def test_local_steps_are_compared_from_fewest_to_most_whatever_the_plans_order(tmp_path):
    points = {"many": {"epochs": 8}, "one": {"epochs": 1}}
    finals = {
        ("random", "one"): 0.6,
        ("random", "many"): 0.4,
        ("digits", "one"): 0.8,
        ("digits", "many"): 0.75,
    }
    study = toy_study.study(
        [toy_study.run(tmp_path, f, start=s, local_epochs=p) for (s, p), f in finals.items()],
        sweep={"local_epochs": points},
    )
    assert per_seed.random_loses_by_local_steps(study, *BOTH) == [pytest.approx(0.2)]
    # It loses 0.05, which is 0.03 more than "about as good" allows.
    assert per_seed.pretrained_bears_local_steps(study, *BOTH) == [pytest.approx(-0.03)]


def test_a_difference_pairs_runs_on_every_other_coordinate(tmp_path):
    def runs(axis, values):
        return [
            toy_study.run(tmp_path, value, start="random", partition=partition, epochs=axis)
            for partition, value in values.items()
        ]

    many, few = runs(8, {"a": 0.5, "b": 0.9}), runs(1, {"b": 0.8, "a": 0.1})
    gap = per_seed.paired_difference(many, few, "epochs", lambda run: run.last("eval_accuracy"))
    # (0.4 + 0.1) / 2 is one value of the one seed.
    assert (gap.mean, gap.count) == (pytest.approx(0.25), 1)
