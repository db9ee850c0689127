"""Claims about where a start is, on figures chosen so that the answer is plain."""

import json
import math
from dataclasses import replace

import pytest

from fed_pretrain.reporting.claims import landscape_claims
from tests.fed_pretrain.reporting import toy_study
from tests.fed_pretrain.reporting.claims.measuring import measured


def line(barrier):
    train = {"shares": [0, 1], "loss": [1, 1], "barrier": 9.0}
    test = {"shares": [0, 1], "loss": [1, 1], "barrier": barrier}
    return {"landscape": {"splits": {"test": test, "train": train}}}


def basin_study(folder, barriers):
    analyses = [
        toy_study.analysis(folder, line(value), start=start, seed=seed, algorithm="fedavg")
        for start, values in barriers.items()
        for seed, value in enumerate(values)
    ]
    ends = [
        toy_study.run(folder, 0.8 + seed / 100, start=start, partition=partition, seed=seed)
        for start, values in barriers.items()
        for seed in range(len(values))
        for partition in ("iid", "dirichlet")
    ]
    return toy_study.study(ends, analyses)


def test_one_basin_is_told_by_the_barrier_on_held_out_data(tmp_path):
    study = basin_study(tmp_path, {"random": (1.5, 1.0), "digits": (0.5, 0.25)})
    found = measured(study, landscape_claims.SAME_BASIN)
    assert found.values == {0: 1.0, 1: 0.75}


def test_a_barrier_that_is_lower_but_high_is_not_one_basin(tmp_path):
    barriers = {"random": (1.5, 1.0, 1.2, 1.3, 1.4), "digits": (0.5, 0.25, 0.4, 0.3, 0.45)}
    found = measured(basin_study(tmp_path, barriers), landscape_claims.SAME_BASIN)
    assert found.guarded.up > 0.9
    assert found.guarded.down < 0.01


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


def top(value, converged=True, residual=0.0, scale=None):
    found = {"eigenvalues": [value], "converged": converged, "relative_residuals": [residual]}
    return {"eigenvalues": {"top": found, "provenance": {"preprocessing": scale}}}


def eigenvalue_study(folder, *seeds):
    """A pair of contents, of the random and of the pre-trained start, for each seed."""
    return toy_study.study(
        [],
        [
            toy_study.analysis(folder, content, start=start, seed=seed)
            for seed, pair in enumerate(seeds)
            for start, content in zip(("random", "digits"), pair, strict=True)
        ],
    )


def test_an_eigenvalue_that_did_not_converge_is_left_out(tmp_path):
    study = eigenvalue_study(tmp_path, (top(40.0), top(10.0)), (top(40.0), top(1.0, False)))
    found = measured(study, landscape_claims.CURVATURE)
    assert found.values == {0: pytest.approx(math.log(4.0))}
    assert "not converged well enough in seed 1" in found.notes


def test_a_start_whose_curvature_nobody_asked_for_has_no_row(tmp_path):
    study = eigenvalue_study(tmp_path, (top(40.0), top(10.0)))
    study = replace(study, analyses=study.analyses[:1])
    assert measured(study, landscape_claims.CURVATURE) is None


def test_a_residual_as_large_as_the_difference_leaves_no_value(tmp_path):
    study = eigenvalue_study(
        tmp_path, (top(11.0, residual=0.1), top(10.0, residual=0.1)), (top(40.0), top(10.0))
    )
    assert list(measured(study, landscape_claims.CURVATURE).values) == [1]


def test_a_start_where_the_top_eigenvalue_is_not_positive_has_no_ratio(tmp_path):
    study = eigenvalue_study(tmp_path, (top(-1.0), top(10.0)), (top(40.0), top(10.0)))
    assert list(measured(study, landscape_claims.CURVATURE).values) == [1]


def test_starts_that_read_their_inputs_on_other_scales_are_not_compared(tmp_path):
    study = eigenvalue_study(tmp_path, *[(top(40.0), top(10.0 + i, scale="x")) for i in range(3)])
    assert measured(study, landscape_claims.CURVATURE).guarded.p == 1.0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("start.json", {"tensors": [{"shape": [288, 62]}, {"shape": [62]}]}),
        ("SUCCESS", {"evaluated": {"labels": 800, "commonest_share": 0.1}}),
    ],
)
def test_losses_of_other_classes_or_other_examples_are_not_compared(tmp_path, name, content):
    runs = [
        toy_study.run(tmp_path, 0.5, start=start, seed=seed, columns={"eval_loss": (2.0 + seed, 1)})
        for start in ("random", "digits")
        for seed in range(3)
    ]
    assert measured(toy_study.study(runs), landscape_claims.START_LOSS).guards == ()
    # What a file has and the model does not take is not part of a start.
    unused = {"tensors": [{"shape": [1000], "status": "unused"}]}
    (runs[0].folder / "start.json").write_text(json.dumps(unused))
    assert measured(toy_study.study(runs), landscape_claims.START_LOSS).guards == ()
    (runs[-1].folder / name).write_text(json.dumps(content))
    runs = [replace(run) for run in runs]  # What a run has read it keeps.
    found = measured(toy_study.study(runs), landscape_claims.START_LOSS)
    assert [guard.likely for guard in found.guards] == [False]


def test_a_loss_at_the_start_is_seen_to_be_higher_and_refutes_nothing(tmp_path):
    losses = {"random": (2.3, 2.31, 2.29), "digits": (2.9, 3.1, 3.0)}
    runs = [
        toy_study.run(tmp_path, 0.5, start=start, seed=seed, columns={"eval_loss": (loss, 1.0)})
        for start, several in losses.items()
        for seed, loss in enumerate(several)
    ]
    found = measured(toy_study.study(runs), landscape_claims.START_LOSS)
    assert found.existential
    assert found.estimate == pytest.approx(0.7)
