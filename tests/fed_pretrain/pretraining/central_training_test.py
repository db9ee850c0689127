"""Central pre-training: exact resume, early stopping, and a start that a federation takes."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.store.reader import PreparedDataset
from fed_pretrain.experiment.workdir import metrics
from fed_pretrain.pretraining import proxy_data
from fed_pretrain.pretraining.central_training import PretrainConfig, pretrain
from fed_pretrain.pretraining.pretrain_config import CentralConfig
from fed_pretrain.starts import start as starts
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.definition import TaskOptions
from groundwork import array_file
from groundwork.errors import UserError

CENTRAL = CentralConfig(epochs=2, batch_size=32, learning_rate=3e-3, evaluate_every=15)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    folder = tmp_path_factory.mktemp("digits") / "natural"
    return prepare(PrepareConfig(source="digits", output=str(folder), partition="natural"))


@pytest.fixture(scope="module")
def config(digits: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> PretrainConfig:
    workdir = tmp_path_factory.mktemp("pretrained") / "whole"
    return PretrainConfig(
        "digits", str(workdir), str(digits.path), options=_small(), central=CENTRAL
    )


def _small() -> TaskOptions:
    return TaskOptions(input_size=16)


@pytest.fixture(scope="module")
def whole(config: PretrainConfig) -> Path:
    return pretrain(config).path


def _command(config: PretrainConfig, workdir: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "fed_pretrain.pretrain", "--task=digits", "--input_size=16"),
        *(f"--dataset={config.dataset}", f"--workdir={workdir}", "--epochs=2"),
        *("--batch_size=32", "--learning_rate=3e-3", "--evaluate_every=15"),
    ]


def _rows(workdir: Path) -> list[dict[str, object]]:
    rows = metrics.read_rows(workdir / "metrics.jsonl")
    return [{k: v for k, v in r.items() if not metrics.machine_dependent(k)} for r in rows]


def test_pre_training_learns_and_says_what_was_proxy(whole: Path, digits: PreparedDataset) -> None:
    rows = _rows(whole.parent)
    assert rows[-1]["eval_loss"] < rows[0]["eval_loss"]  # type: ignore[operator]
    told = json.loads((whole.parent / "start.ckpt.json").read_text())
    assert told["proxy"]["dataset_fingerprint"] == digits.fingerprint
    assert told["proxy"]["split"] == "train"
    assert told["proxy"]["evaluation_data_read"] is False
    train = int(digits.index("train").num_examples.sum())
    assert told["proxy"]["rows"] + told["proxy"]["validation_rows"] == train
    assert (whole.parent / "SUCCESS").exists()


def test_the_result_is_the_validation_with_the_lowest_loss(whole: Path) -> None:
    best = min(_rows(whole.parent), key=lambda row: row["eval_loss"])  # type: ignore[arg-type,return-value]
    assert array_file.load(whole).metadata["step"] == best["round"]


def test_a_federation_starts_from_the_result_with_its_head(
    whole: Path, digits: PreparedDataset
) -> None:
    task = known_tasks.load("digits", digits, options=_small())
    start = starts.resolve(StartConfig(spec=f"checkpoint:{whole}"), task, seed=3)
    assert start.report.counts() == {"matched": 6}
    assert start.report.facts["head"] == "keep"
    assert start.report.facts["trained_proxy"]["clients"] == 14
    arrays = array_file.load(whole).arrays
    for name, value in zip(start.names[0], start.weights[0], strict=True):
        np.testing.assert_array_equal(value, arrays[f"model/trainable/{name}"])


def test_another_task_with_the_same_classes_takes_the_head_or_gets_a_new_one(
    whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mnist5k"
    other = prepare(
        PrepareConfig(source="mnist5k", output=str(folder), partition="iid", num_clients=5)
    )
    task = known_tasks.load("mnist5k", other, model="edge_cnn", options=_small())
    config = StartConfig(spec=f"checkpoint:{whole}")
    start = starts.resolve(config, task, seed=3)
    assert start.report.facts["head"] == "keep"
    assert start.report.facts["trained_task"] == "digits"
    assert start.report.counts() == {"matched": 6}
    start = starts.resolve(dataclasses.replace(config, head="new"), task, seed=3)
    assert start.report.counts() == {"matched": 4, "re-initialised": 2, "unused": 2}


@pytest.mark.parametrize(
    "point",
    [
        "pretrain-step:7",
        pytest.param("pretrain-before-row:2", marks=pytest.mark.slow),
        pytest.param("mid-write:6", marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_point_the_same_command_gives_the_same_bytes(
    point: str, whole: Path, config: PretrainConfig, tmp_path: Path
) -> None:
    command = _command(config, tmp_path / "killed")
    killed = subprocess.run(
        command, env={**os.environ, "FED_PRETRAIN_KILL_AT": point}, capture_output=True, timeout=900
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "SUCCESS").exists()
    again = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "killed" / "start.ckpt").read_bytes() == whole.read_bytes()
    assert _rows(tmp_path / "killed") == _rows(whole.parent)


def test_a_finished_training_is_not_repeated_and_another_is_refused(
    whole: Path, config: PretrainConfig
) -> None:
    before = whole.stat().st_mtime_ns
    assert pretrain(config).path == whole
    assert whole.stat().st_mtime_ns == before
    with pytest.raises(UserError, match=r"another training.*seed: 0 -> 1"):
        pretrain(dataclasses.replace(config, seed=1))


def test_training_stops_when_the_validation_loss_does_not_fall(
    config: PretrainConfig, tmp_path: Path
) -> None:
    central = dataclasses.replace(CENTRAL, learning_rate=0.0, patience=2, epochs=50)
    done = pretrain(dataclasses.replace(config, workdir=str(tmp_path), central=central))
    assert done.steps == 3 * 15  # the first is the best, two more do not fall below it


def test_a_loss_that_is_no_number_stops_with_one_sentence(
    config: PretrainConfig, tmp_path: Path
) -> None:
    central = dataclasses.replace(CENTRAL, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(UserError, match="not finite at step"):
        pretrain(dataclasses.replace(config, workdir=str(tmp_path), central=central))


def test_the_proxy_group_of_clients_does_not_depend_on_who_else_is_there() -> None:
    everyone = [f"client_{number}" for number in range(1000)]
    chosen = proxy_data.group(everyone, 0.2, seed=1)
    assert 150 < len(chosen) < 250
    assert proxy_data.group(everyone[:100], 0.2, seed=1) == [
        c for c in chosen if c in everyone[:100]
    ]
    assert proxy_data.group(everyone, 0.2, seed=2) != chosen


def test_the_held_out_group_is_written_down(config: PretrainConfig, tmp_path: Path) -> None:
    central = dataclasses.replace(CENTRAL, proxy_clients=0.5, epochs=1)
    done = pretrain(dataclasses.replace(config, workdir=str(tmp_path), central=central))
    ids = json.loads(done.path.with_name("start.ckpt.json").read_text())["proxy_client_ids"]
    assert 0 < len(ids) < 14
    assert all(client_id.startswith("form_") for client_id in ids)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"proxy_clients": 1e-9}, "--proxy_clients=1e-09 leaves no client of 14"),
        ({"validation_share": 1e-6}, "nothing to validate on"),
    ],
)
def test_proxy_data_that_leaves_nothing_is_refused(
    change: dict[str, float], sentence: str, config: PretrainConfig, tmp_path: Path
) -> None:
    central = dataclasses.replace(CENTRAL, **change)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=sentence):
        pretrain(dataclasses.replace(config, workdir=str(tmp_path), central=central))


def test_a_device_that_is_not_there_or_one_too_many_is_refused(config, tmp_path):
    for devices, said in (
        ("GPU", "--devices=GPU: TensorFlow sees no GPU on this machine"),
        ("CPU:1", "--devices=CPU:1: no CPU:1"),
    ):
        with pytest.raises(UserError, match=said):
            pretrain(dataclasses.replace(config, workdir=str(tmp_path), devices=devices))


@pytest.mark.slow
def test_training_runs_on_the_device_asked_for(digits, tmp_path):
    code = f"""
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from groundwork.errors import UserError
from fed_pretrain.pretraining import central_step, central_training as pretraining
from tests.fed_pretrain.pretraining.central_training_test import CENTRAL, _small
seen = set()
class Watched(central_step.CentralStep):
    def train(self, *arguments):
        seen.update(variable.device[-5:] for variable in self.model.trainable_variables)
        return super().train(*arguments)
pretraining.CentralStep = Watched
config = pretraining.PretrainConfig(
    "digits", {str(tmp_path)!r}, {str(digits.path)!r}, options=_small(), central=CENTRAL
)
import dataclasses
try:
    pretraining.pretrain(dataclasses.replace(config, devices="CPU:0,CPU:1"))
except UserError as error:
    print(error)
pretraining.pretrain(dataclasses.replace(config, devices="CPU:1"))
print(seen)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "central training runs on one device" in done.stdout
    assert done.stdout.splitlines()[-1] == "{'CPU:1'}"
