"""A small run on the digits, and what is measured of it afterwards."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.experiment.analysis import run_analysis
from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig, OtherRun
from fed_pretrain.experiment.assembly import calibration
from fed_pretrain.experiment.assembly.assemble import assemble
from fed_pretrain.experiment.assembly.run_config import (
    EvaluationConfig,
    ProbeConfig,
    RunConfig,
    SavingConfig,
    WorkConfig,
)
from fed_pretrain.experiment.assembly.run_subject import run_subject
from fed_pretrain.experiment.assembly.session import shared
from fed_pretrain.experiment.training.run import train
from fed_pretrain.experiment.workdir import saved_config
from fed_pretrain.probes import eigenvector, landscape, plane
from fed_pretrain.probes.ccvr import Ccvr
from groundwork.errors import UserError
from groundwork.files import VARIABLE

CURVATURE = CurvatureConfig(examples="60", iterations=20)
OPTIONS = (landscape.LandscapeOptions(points=3, examples="60"), plane.PlaneOptions(grid=3))
DRIFT = ("drift", "relative_drift", "aggregation_gain", "loss_gain", "average_accuracy")
WORK = WorkConfig(rounds=2, clients_per_round=3, batch_size=16, epochs=1)


def run_config(folder, **changes):
    given = RunConfig(
        task="digits",
        workdir=str(folder),
        model="linear",
        algorithm_name="fedavg",
        work=WORK,
        evaluation=EvaluationConfig(evaluate_every=1),
        probes=ProbeConfig(probes="alignment,distance,drift"),
        curvature=CURVATURE,
    )
    return dataclasses.replace(given, **changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(run_config(folder))
    return folder


@pytest.fixture(scope="module")
def other_run(tmp_path_factory):
    """From the same start with other clients' work: what IID and non-IID runs are to each other."""
    folder = tmp_path_factory.mktemp("other")
    train(run_config(folder, work=dataclasses.replace(WORK, clients_per_round=1)))
    return folder


def analysed(run, probes, **settings):
    given = dataclasses.replace(run_config(""), workdir="")
    config = AnalyzeConfig(
        run=run_analysis.run_config(str(run), given),
        probes=probes,
        run_folder=str(run),
        **{"options": OPTIONS, **settings},
    )
    folder = run_analysis.analyze(config)
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}, folder


def rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_the_config_of_a_run_comes_back_as_it_was(run):
    saved = json.loads((run / "config.json").read_text())["config"]
    config = saved_config.read(run)
    saved["work"]["exclude_clients"] = "none"  # who was left out is in the run's own list
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


def test_with_eval_clients_the_loss_is_that_of_every_client_too(run, tmp_path):
    found, folder = analysed(run, ("loss",), round="1")
    assert "clients" not in found["loss"]
    assert not (folder / "loss.png").exists()
    given = run_config(tmp_path, evaluation=EvaluationConfig(eval_clients=True))
    config = AnalyzeConfig(run_analysis.run_config(str(run), given), ("loss",), run_folder=str(run))
    folder = run_analysis.analyze(config)
    content = json.loads((folder / "loss.json").read_text())
    accuracies = [client["accuracy"] for client in content["clients"]]
    assert len({client["client"] for client in content["clients"]}) == len(accuracies) > 3
    assert np.mean(accuracies) == pytest.approx(content["eval_clients_accuracy_mean"])
    assert np.median(accuracies) == pytest.approx(content["eval_clients_accuracy_p50"])
    assert content["eval_loss"] == rows(run)[-1]["eval_loss"]
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_a_round_that_was_not_kept_is_refused_with_those_that_were(run):
    with pytest.raises(UserError, match="holds the rounds 0, 1, 2"):
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


STATEFUL = {
    "scaffold": {},
    "mimelite": {"server_momentum": 0.9},
}


@pytest.mark.parametrize(
    "name", ["scaffold", "mimelite", pytest.param("proximal", marks=pytest.mark.slow)]
)
def test_the_updates_are_those_of_the_runs_own_client_update(tmp_path, name):
    settings = {"proximal_strength": 50.0} if name == "proximal" else STATEFUL[name]
    config = run_config(
        tmp_path,
        algorithm_name=None,
        algorithm_settings=(("client_update", name), *settings.items()),
        work=dataclasses.replace(WORK, rounds=4),
        saving=SavingConfig(checkpoint_every=3, keep_checkpoints=2),
    )
    train(config)
    found, folder = analysed(tmp_path, ("alignment", "drift"), round="3")
    expected = rows(tmp_path)[4]
    columns = ("mean_pairwise_cosine", "gradient_diversity")
    for content, names in (("alignment", columns), ("drift", DRIFT)):
        for column in names:
            assert found[content][column] == pytest.approx(expected[column], rel=1e-4), column
        assert found[content]["approximate"] is None
    norms = [row["norm"] for row in found["drift"]["clients"]]
    assert np.mean(norms) == pytest.approx(expected["mean_update_norm"], rel=1e-5)
    assert (folder / "drift.png").exists()
    # Of round 1 only the model was kept, which is all that a rule without a state needs.
    found, _ = analysed(tmp_path, ("alignment",), round="1")
    exact = name == "proximal"
    assert (found["alignment"]["approximate"] is None) == exact
    row = rows(tmp_path)[2]["mean_pairwise_cosine"]
    assert (found["alignment"]["mean_pairwise_cosine"] == pytest.approx(row, rel=1e-4)) == exact


@pytest.mark.parametrize("name", ["nova", "sgd"])
def test_the_average_of_drift_is_said_to_be_the_plain_mean_where_the_server_has_another(
    tmp_path, name
):
    settings = (("client_update", name),)
    train(run_config(tmp_path, algorithm_name=None, algorithm_settings=settings))
    found, _ = analysed(tmp_path, ("drift",))
    assert found["drift"]["average"].startswith("mean of the clients' models")
    own = found["drift"]["servers_own"]
    assert own is None if name == "sgd" else "FedNova" in own


def test_clients_have_their_own_curvature_and_angles(run):
    found, folder = analysed(run, ("clients",), clients=2)
    rows_of = found["clients"]["clients"]
    assert len(rows_of) == 2
    assert all(row["eigenvalue"] > 0 and row["positions"] == 30 for row in rows_of)
    np.testing.assert_allclose(np.diag(found["clients"]["angle_degrees"]), 0, atol=0.1)
    assert (folder / "clients.png").exists()


def test_a_linear_model_has_no_barrier_and_its_hessian_is_gauss_newton(run):
    found, folder = analysed(run, ("landscape", "hessian", "gauss_newton"))
    assert found["landscape"]["first"] == "start"
    for split in found["landscape"]["splits"].values():
        assert split["shares"] == [-0.5, 0.0, 0.5, 1.0, 1.5]
        assert split["barrier"] == pytest.approx(0.0, abs=1e-4)
    hessian, gauss_newton = (found[name]["top"] for name in ("eigenvalues", "gauss_newton"))
    assert hessian["converged"]
    assert hessian["eigenvalues"][0] == pytest.approx(gauss_newton["eigenvalues"][0], rel=1e-3)
    assert (folder / "landscape.png").exists()


def test_the_eigenvectors_parabola_touches_the_loss_and_takes_the_hessians_vector(run):
    found, folder = analysed(run, ("hessian", "eigenvector"))
    line = found["eigenvector"]
    assert line["eigenvalue"] == found["eigenvalues"]["top"]["eigenvalues"][0]
    assert line["loss"][2] == pytest.approx(found["eigenvalues"]["loss"], rel=1e-6)
    assert line["quadratic"][2] == line["loss"][2]
    close = (*OPTIONS, eigenvector.EigenvectorOptions(reach=1e-2))
    near = analysed(run, ("eigenvector",), options=close)[0]["eigenvector"]
    below, _, above = near["loss"][::2]
    distance, slope = near["distances"][-1], near["slope"]
    assert near["departure"] < line["departure"]
    assert (slope[-1] - slope[0]) / (2 * distance) == pytest.approx(line["eigenvalue"], rel=1e-2)
    assert (above - below) / (2 * distance) == pytest.approx(slope[2], rel=1e-2)
    assert (folder / "eigenvector.png").exists()


def test_two_runs_from_one_start_span_a_plane_and_a_triangle(run, other_run):
    other = OtherRun(str(other_run))
    found, folder = analysed(run, ("plane", "distance"), others=(other,))
    between, corners = found["distances"]["between"], found["plane"]["corners"]
    assert between["same_start"]
    assert between["start_digests"][0] == found["distances"]["provenance"]["start_digest"]
    whole = between["whole"]
    assert whole["first_from_start"] == pytest.approx(rows(run)[-1]["distance_to_start"])
    assert whole["second_from_start"] == pytest.approx(rows(other_run)[-1]["distance_to_start"])
    assert found["distances"]["to_start"][-1] == whole["first_from_start"]
    assert corners[1] == [pytest.approx(whole["first_from_start"]), 0.0]
    assert np.linalg.norm(corners[2]) == pytest.approx(whole["second_from_start"])
    assert np.linalg.norm(np.subtract(*corners[1:])) == pytest.approx(whole["apart"])
    assert found["plane"]["models"][0] == "start"
    for split in found["plane"]["splits"].values():
        assert np.shape(split["loss"]) == np.shape(split["accuracy"]) == (3, 3)
    for name in ("plane.png", "distances.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_a_third_run_takes_the_place_of_the_start(run, other_run):
    third = OtherRun(str(run), "1", "third_run", "third_round")
    found, _ = analysed(run, ("plane",), others=(OtherRun(str(other_run), "1"), third))
    assert [name.split(", ")[1] for name in found["plane"]["models"]] == [
        "round 1",
        "round 2",
        "round 1",
    ]
    on_line = OtherRun(str(run), "start")
    with pytest.raises(UserError, match="are the same"):
        analysed(run, ("plane",), others=(on_line,))


def test_probes_that_need_a_run_refuse_a_start(tmp_path):
    for name in ("misalignment", "landscape", "plane", "distance"):
        config = AnalyzeConfig(run_config(tmp_path), (name,))
        with pytest.raises(UserError, match="--run=DIR"):
            run_analysis.analyze(config)
    config = AnalyzeConfig(run_config(tmp_path), ("curl",))
    with pytest.raises(UserError, match="--probes=curl is not one of"):
        run_analysis.analyze(config)


def test_another_run_that_is_none_or_of_another_model_is_refused_by_its_flag(run, tmp_path):
    with pytest.raises(UserError, match=r"--other_run=.*no checkpoint"):
        analysed(run, ("distance",), others=(OtherRun(str(tmp_path)),))
    third = OtherRun(str(run), "9", "third_run", "third_round")
    with pytest.raises(UserError, match=r"--third_round=9: .* holds the rounds"):
        analysed(run, ("plane",), others=(OtherRun(str(run)), third))
    work = dataclasses.replace(WORK, rounds=0)
    train(run_config(tmp_path / "small", model="small_cnn", work=work))
    with pytest.raises(UserError, match="another model"):
        analysed(run, ("distance",), others=(OtherRun(str(tmp_path / "small")),))


def test_what_a_killed_analysis_leaves_is_swept_and_its_success_is_gone(run, tmp_path):
    given = dataclasses.replace(run_config(""), workdir=str(tmp_path))
    config = AnalyzeConfig(run_analysis.run_config(str(run), given), ("loss",), run_folder=str(run))
    folder = run_analysis.analyze(config)
    (folder / ".tmp-loss.json-0123").write_text("half a fi")
    success = (tmp_path / "SUCCESS").read_bytes()
    with pytest.raises(UserError, match="--other_run=DIR"):
        run_analysis.analyze(dataclasses.replace(config, probes=("loss", "plane")))
    assert (tmp_path / "SUCCESS").read_bytes() == success  # refused before anything is touched
    (folder / "loss.json").unlink()
    same = (OtherRun(str(run), "start"),)
    with pytest.raises(UserError, match="are the same"):
        run_analysis.analyze(dataclasses.replace(config, probes=("loss", "plane"), others=same))
    assert not (folder / "loss.json").exists()  # nor has a probe before it measured anything
    assert not (tmp_path / "SUCCESS").exists()
    run_analysis.analyze(config)
    assert not list(folder.glob(".tmp-*"))
    assert (tmp_path / "SUCCESS").read_bytes() == success


def test_the_folder_of_a_run_is_no_work_directory_of_an_analysis(run):
    given = dataclasses.replace(run_config(""), workdir=str(run))
    before = (run / "SUCCESS").read_bytes()
    with pytest.raises(UserError, match="holds a run"):
        run_analysis.analyze(AnalyzeConfig(given, ("loss",), run_folder=str(run)))
    assert (run / "SUCCESS").read_bytes() == before


@pytest.mark.slow
def test_an_analysis_killed_in_a_write_and_repeated_gives_the_same_bytes(run, tmp_path):
    probes = "loss,distance,eigenvector"
    command = [
        sys.executable,
        "-m",
        "fed_pretrain.analyze",
        f"--run={run}",
        f"--probes={probes}",
        "--hessian_examples=60",
        "--points=3",
    ]

    def ended(folder, kill_at=""):
        environment = {**os.environ, VARIABLE: kill_at} if kill_at else os.environ
        done = subprocess.run([*command, f"--workdir={folder}"], env=environment, check=False)
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
        return done.returncode, {str(f.relative_to(folder)): f.read_bytes() for f in files}

    code, whole = ended(tmp_path / "whole")
    assert code == 0
    for point in ("mid-write:1", "before-replace:3", "mid-write:5"):
        assert ended(tmp_path / "killed", point)[0] == -signal.SIGKILL
        assert not (tmp_path / "killed" / "SUCCESS").exists()
    assert ended(tmp_path / "killed") == (0, whole)


def test_the_runs_own_drift_follows_from_its_norms(run):
    row = rows(run)[2]
    assert row["drift"] > 0
    gain = row["average_accuracy"] - row["local_accuracy"]
    assert row["aggregation_gain"] == pytest.approx(gain)


@pytest.mark.slow
def test_another_head_is_trained_on_virtual_features_of_the_clients_classes(run):
    content, _ = analysed(run, ("ccvr",))
    found = content["ccvr"]
    before, after = found["rows"]
    assert before["eval_accuracy"] == rows(run)[-1]["eval_accuracy"]
    # Two rounds leave a linear model far from what its classes' Gaussians give.
    assert after["eval_accuracy"] > before["eval_accuracy"] + 0.1
    numbers = 10 * (784 + 1) + 10 * 784 * 785 // 2
    assert found["bytes_up"] == found["clients"] * 4 * numbers
    assert found["bytes_down"] == found["clients"] * 4 * 10 * 785


def test_a_private_runs_head_is_not_calibrated_with_exact_figures(run):
    given = run_analysis.run_config(str(run), run_config(""))
    given = dataclasses.replace(
        given, algorithm=None, algorithm_settings=(("dp_noise_multiplier", 1.0),)
    )
    assembly = assemble(given, shared())
    subject = dataclasses.replace(
        run_subject(assembly, run),
        calibration=lambda: calibration.Calibrated(assembly, "--probes=ccvr"),
    )
    with pytest.raises(UserError, match="neither secure sums nor the run's privacy cover"):
        Ccvr(subject)
