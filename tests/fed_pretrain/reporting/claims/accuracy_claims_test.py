"""Claims about accuracy, on accuracies chosen so that the answer is plain."""

import pytest

from fed_pretrain.reporting.claims import accuracy_claims
from tests.fed_pretrain.reporting import toy_study

BOTH = ("toy", "random", "digits")


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
    assert accuracy_claims.final_accuracy(study, *BOTH) == [pytest.approx(0.3)]
    assert accuracy_claims.gap_shrinks(study, *BOTH) == [pytest.approx(0.5 - 0.2)]


def test_an_algorithm_that_only_one_start_has_finished_is_not_compared(tmp_path):
    study = toy_study.study(
        [
            toy_study.run(tmp_path, 0.5, start="random", algorithm="fedavg"),
            toy_study.run(tmp_path, 0.9, start="random", algorithm="fedadam"),
            toy_study.run(tmp_path, 0.7, start="digits", algorithm="fedavg"),
        ]
    )
    assert accuracy_claims.final_accuracy(study, *BOTH) == [pytest.approx(0.2)]


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
    assert accuracy_claims.random_loses_by_local_steps(study, *BOTH) == [pytest.approx(0.2)]
    # It loses 0.05, which is 0.03 more than "about as good" allows.
    assert accuracy_claims.pretrained_bears_local_steps(study, *BOTH) == [pytest.approx(-0.03)]
