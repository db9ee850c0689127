"""The files that a run's probes leave, beside those that `analyze` makes of the same weights."""

import dataclasses
import json

import numpy as np
import pytest

from fed_pretrain.experiment.analysis import run_analysis
from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig
from fed_pretrain.experiment.training import dry_run
from fed_pretrain.experiment.training.rounds import Training
from fed_pretrain.experiment.training.run import train
from fed_pretrain.experiment.workdir import workdir
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import small


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = small(tmp_path_factory.mktemp("run"), probes={"probes": "distance,misalignment"})
    return train(config).workdir


@pytest.fixture(scope="module")
def analysed(run):
    given = dataclasses.replace(small(run), workdir="")
    probes = ("distance", "misalignment")
    return run_analysis.analyze(
        AnalyzeConfig(run_analysis.run_config(run, given), probes, run_folder=run)
    )


def content(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def test_a_runs_misalignment_is_what_analyze_finds_of_the_rounds_it_kept(run, analysed):
    own, found = content(run / "probes", "misalignment"), content(analysed, "misalignment")
    assert own["rounds"] == [0, 1, 2]
    assert own["total"][-1] == 0.0 < own["total"][0]
    assert {**own, "provenance": None} == {**found, "provenance": None}


def test_a_probe_that_the_model_has_no_answer_for_is_refused_before_anything_is_computed(
    tmp_path, monkeypatch
):
    config = small(tmp_path / "run", model="linear", probes={"probes": "distance,misalignment"})
    monkeypatch.delattr(Training, "run")
    for command in (train, dry_run.describe):
        with pytest.raises(UserError, match=r"--probes=misalignment.*no convolution filters"):
            command(config)
    assert not list(tmp_path.rglob("*.json*"))


def test_alignment_is_summed_for_the_probe_that_reads_it_alone(tmp_path, run):
    work = {"rounds": 1}
    asked = train(small(tmp_path / "run", probes={"probes": "alignment"}, work=work))
    assert -1.0 <= asked.rows[-1]["mean_pairwise_cosine"] <= 1.0
    assert "mean_pairwise_cosine" not in (run / "metrics.csv").read_text()
    assert '"alignment": "none"' in (run / "config.json").read_text()
    with pytest.raises(UserError, match=r"another run.*undo: --probes=alignment, now distance"):
        train(small(tmp_path / "run"))
    of_layers = (("alignment", "layers"),)
    with pytest.raises(UserError, match=r"--alignment=layers .*--probes=alignment"):
        train(small(tmp_path / "layers", algorithm_settings=of_layers, work=work))


@pytest.mark.parametrize("name", ["distances", "misalignment"])
def test_a_runs_file_says_what_its_numbers_are_of_as_analyze_does(run, analysed, name):
    own, found = (content(folder, name)["provenance"] for folder in (run / "probes", analysed))
    # Which folder was looked at is known inside of it, and another machine has it elsewhere.
    assert found.pop("run") == str(run)
    assert own == found
    saved = json.loads((run / "config.json").read_text())
    assert own["start_digest"] == saved["start_digest"]
    assert own["dataset_fingerprint"] == saved["dataset_fingerprint"]
    assert (own["round"], own["where"]) == (2, "after round 2")
    assert str(run) not in json.dumps(own)


def test_an_undefined_number_is_written_as_null(tmp_path):
    written = workdir.write(tmp_path, "found", {"to_start": [0.0, np.nan]}, {"seed": 3})
    assert written == content(tmp_path, "found")
    assert written == {"to_start": [0.0, None], "provenance": {"seed": 3}}
