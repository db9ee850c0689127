"""Curvature by layer of a start, and along a run, as the binaries' config asks for it."""

import dataclasses
import json

import pytest

from fed_pretrain.curvature.curvature_config import CurvatureConfig, number_of_examples
from fed_pretrain.experiment.analysis import run_analysis
from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig
from fed_pretrain.experiment.assembly.run_config import ProbeConfig, RunConfig, WorkConfig, identity
from fed_pretrain.experiment.training.run import train
from groundwork.errors import UserError

CURVATURE = CurvatureConfig(examples="40", layers="each", iterations=30)


def run_config(folder, **changes):
    given = RunConfig(
        task="digits",
        workdir=str(folder),
        model="edge_cnn",
        algorithm_name="fedavg",
        work=WorkConfig(rounds=1, clients_per_round=2, batch_size=16),
        probes=ProbeConfig(probes="hessian"),
        curvature=CURVATURE,
    )
    return dataclasses.replace(given, **changes)


def analysed(folder, **changes):
    config = AnalyzeConfig(run_config(folder, **changes), ("hessian",))
    place = run_analysis.analyze(config)
    return json.loads((place / "eigenvalues.json").read_text()), place


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return analysed(tmp_path_factory.mktemp("start"))


def test_no_block_is_steeper_than_the_whole(start):
    """Cauchy's interlacing theorem: the top eigenvalue of a block is at most the matrix's."""
    content, folder = start
    tops = [layer["eigenvalues"][0] for layer in content["layers"]]
    assert len(tops) > 2
    assert max(tops) <= content["top"]["eigenvalues"][0] * (1 + 1e-3)
    assert (folder / "eigenvalues.png").read_bytes().startswith(b"\x89PNG")


def test_the_layers_hold_every_weight_once_and_by_name(start):
    content, _ = start
    names = [layer["layer"] for layer in content["layers"]]
    assert sum(layer["parameters"] for layer in content["layers"]) == content["parameters"]
    assert list(dict.fromkeys(name.rsplit("/", 1)[0] for name in content["tensors"])) == names


def test_a_choice_of_tensors_gives_that_layers_eigenvalue(start, tmp_path):
    content, _ = start
    last = content["layers"][-1]
    only = dataclasses.replace(CURVATURE, layers=f"^{last['layer']}/")
    chosen, _ = analysed(tmp_path, curvature=only)
    assert chosen["parameters"] == last["parameters"]
    assert chosen["top"]["eigenvalues"] == pytest.approx(last["eigenvalues"], rel=1e-5)


def test_a_run_measures_what_analyze_measures_of_its_start(start, tmp_path):
    content, _ = start
    train(run_config(tmp_path, curvature=dataclasses.replace(CURVATURE, layers="")))
    lines = (tmp_path / "probes" / "hessian.jsonl").read_text().splitlines()
    first, last = (json.loads(lines[position]) for position in (0, -1))
    assert (first["round"], last["round"]) == (0, 1)
    assert first["top"] == content["top"]
    assert last["examples"] == 40


def test_a_choice_that_no_tensor_has_is_refused_before_any_round(tmp_path):
    wrong = dataclasses.replace(CURVATURE, layers="conv99")
    with pytest.raises(UserError, match="--hessian_layers=conv99"):
        train(run_config(tmp_path, curvature=wrong))
    assert not list(tmp_path.glob("checkpoints/*"))


def test_how_the_curvature_is_measured_is_no_part_of_a_runs_identity(tmp_path):
    config = run_config(tmp_path)
    other = dataclasses.replace(config, curvature=CurvatureConfig(seed=7, examples="all"))
    assert _identity(config) == _identity(other)


def _identity(config):
    from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm

    return identity(dataclasses.replace(config, algorithm=ResolvedAlgorithm()), "data", "start")


@pytest.mark.parametrize("text", ["0", "some", "-3"])
def test_a_number_of_examples_that_is_none_is_refused_by_flag(text):
    with pytest.raises(UserError, match=f"--hessian_examples={text}"):
        number_of_examples("hessian_examples", text)
