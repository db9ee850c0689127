"""A small run on the digits, and what is measured of it afterwards."""

import dataclasses
import json

import numpy as np
import pytest

from data_prep.errors import UserError
from fed_pretrain.experiment import analyze, saved_config, train
from fed_pretrain.experiment.config import EvaluationConfig, ProbeConfig, RunConfig, WorkConfig
from fed_pretrain.probes.curvature.probe import CurvatureConfig

CURVATURE = CurvatureConfig(examples=60, iterations=20)


def run_config(folder, **changes):
    given = RunConfig(
        task="digits",
        workdir=str(folder),
        model="linear",
        algorithm_name="fedavg",
        work=WorkConfig(rounds=2, clients_per_round=3, batch_size=16, epochs=1),
        evaluation=EvaluationConfig(evaluate_every=1),
        probes=ProbeConfig(probes="alignment,distance,drift"),
    )
    return dataclasses.replace(given, **changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train.train(run_config(folder))
    return folder


def analysed(run, probes, **settings):
    given = dataclasses.replace(run_config(""), workdir="")
    config = analyze.AnalyzeConfig(
        run=analyze.run_config(str(run), given),
        probes=probes,
        curvature=CURVATURE,
        run_folder=str(run),
        **settings,
    )
    folder = analyze.analyze(config)
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}, folder


def rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_the_config_of_a_run_comes_back_as_it_was(run):
    saved = json.loads((run / "config.json").read_text())["config"]
    config = saved_config.read(run)
    assert json.loads(json.dumps(dataclasses.asdict(config))) == saved
    assert config.algorithm is not None
    with pytest.raises(UserError, match="no config"):
        saved_config.read(run / "probes")


def test_the_loss_of_kept_weights_is_the_loss_the_run_wrote_down(run):
    before = {path: path.read_bytes() for path in run.glob("*.json*")}
    for which, number in (("start", 0), ("1", 1), ("last", 2)):
        found, folder = analysed(run, ("loss",), round=which)
        assert folder == run / "probes" / f"round-{number:06d}"
        assert found["loss"]["eval_loss"] == rows(run)[number]["eval_loss"]
        assert found["loss"]["provenance"]["round"] == number
    assert {path: path.read_bytes() for path in run.glob("*.json*")} == before


def test_a_round_that_was_not_kept_is_refused_with_those_that_were(run):
    with pytest.raises(UserError, match="kept rounds 0, 1, 2"):
        analysed(run, ("loss",), round="7")
    with pytest.raises(UserError, match="start, best or last"):
        analysed(run, ("loss",), round="first")


def test_the_cohort_matrix_agrees_with_the_sums_of_the_round(run):
    found, folder = analysed(run, ("alignment",), round="1")
    expected = rows(run)[2]["mean_pairwise_cosine"]
    assert found["alignment"]["mean_pairwise_cosine"] == pytest.approx(expected, abs=1e-5)
    diversity = rows(run)[2]["gradient_diversity"]
    assert found["alignment"]["gradient_diversity"] == pytest.approx(diversity, rel=1e-5)
    assert (folder / "alignment.png").read_bytes().startswith(b"\x89PNG")


def test_clients_have_their_own_curvature_and_angles(run):
    found, folder = analysed(run, ("clients",), clients=2)
    rows_of = found["clients"]["clients"]
    assert len(rows_of) == 2
    assert all(row["eigenvalue"] > 0 and row["positions"] == 30 for row in rows_of)
    np.testing.assert_allclose(np.diag(found["clients"]["angle_degrees"]), 0, atol=0.1)
    assert (folder / "clients.png").exists()


def test_a_linear_model_has_no_barrier_and_its_hessian_is_gauss_newton(run):
    found, _ = analysed(run, ("landscape", "hessian", "gauss_newton"), points=3)
    for split in found["landscape"]["splits"].values():
        assert split["barrier"] == pytest.approx(0.0, abs=1e-4)
    hessian, gauss_newton = (found[name]["top"] for name in ("eigenvalues", "gauss_newton"))
    assert hessian["converged"]
    assert hessian["eigenvalues"][0] == pytest.approx(gauss_newton["eigenvalues"][0], rel=1e-3)


def test_probes_that_need_a_run_refuse_a_start(tmp_path):
    for name in ("misalignment", "landscape"):
        config = analyze.AnalyzeConfig(run_config(tmp_path), (name,), CURVATURE)
        with pytest.raises(UserError, match="--run=DIR"):
            analyze.analyze(config)
    config = analyze.AnalyzeConfig(run_config(tmp_path), ("curl",), CURVATURE)
    with pytest.raises(UserError, match="no probe 'curl'"):
        analyze.analyze(config)


def test_the_runs_own_drift_follows_from_its_norms(run):
    row = rows(run)[2]
    assert row["drift"] > 0
    gain = row["average_accuracy"] - row["local_accuracy"]
    assert row["aggregation_gain"] == pytest.approx(gain)
