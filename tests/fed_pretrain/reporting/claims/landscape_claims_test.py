"""Claims about where a start lies, on figures chosen so that the answer is plain."""

import math

import pytest

from fed_pretrain.reporting.claims import landscape_claims
from tests.fed_pretrain.reporting import toy_study

BOTH = ("toy", "random", "digits")


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
    assert landscape_claims.same_basin(toy_study.study([], analyses), *BOTH) == [1.0, 0.75]


def test_the_barrier_of_a_seed_is_the_mean_over_its_algorithms(tmp_path):
    analyses = [
        toy_study.analysis(tmp_path, line(value), start="random", algorithm=name)
        for name, value in {"fedavg": 1.0, "fedadam": 2.0}.items()
    ]
    assert landscape_claims.barriers(toy_study.study([], analyses), "toy", "random") == {0: 1.5}


def test_a_line_from_the_start_to_the_final_model_tells_nothing_of_one_basin(tmp_path):
    analyses = [toy_study.analysis(tmp_path, line(1.0), start="random")]
    study = toy_study.study([], analyses, analyze={"it": {"beside": ""}})
    assert landscape_claims.barriers(study, "toy", "random") == {}


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
    assert landscape_claims.flatter(study, *BOTH) == [pytest.approx(math.log(4.0))]
