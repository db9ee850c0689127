"""Starts inside a federation: what is frozen stays to the byte, what is averaged moves."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.experiment.assembly.run_config import (
    ProbeConfig,
    RunConfig,
    SavingConfig,
    WorkConfig,
)
from fed_pretrain.experiment.training.run import train
from fed_pretrain.experiment.workdir import metrics
from fed_pretrain.models import known_models
from fed_pretrain.models.known_models import ModelSpec
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks.definition import TaskOptions
from groundwork import array_file


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("digits") / "natural"
    prepare(PrepareConfig(source="digits", output=str(folder), partition="natural"))
    return str(folder)


def _run(
    digits: str, workdir: Path, model: str, start: StartConfig, rounds: int, steps: int = 3
) -> Path:
    train(
        RunConfig(
            task="digits",
            dataset=digits,
            model=model,
            workdir=str(workdir),
            options=TaskOptions(input_size=16),
            start=start,
            algorithm_name="fedadam",
            work=WorkConfig(rounds=rounds, clients_per_round=2, batch_size=8, local_steps=steps),
            probes=ProbeConfig(probes=""),
            saving=SavingConfig(tensorboard=False),
        )
    )
    return workdir


def _weights(workdir: Path, round_number: int) -> Mapping[str, np.ndarray]:
    path = workdir / "checkpoints" / f"round-{round_number:06d}.ckpt"
    return array_file.load(path).arrays


def _moved(workdir: Path, rounds: int) -> tuple[set[str], set[str]]:
    """The names of model weights whose bytes changed, and of those that did not."""
    before, after = _weights(workdir, 0), _weights(workdir, rounds)
    names = {name for name in before if name.startswith("model/")}
    moved = {name for name in names if before[name].tobytes() != after[name].tobytes()}
    return moved, names - moved


@pytest.mark.slow
def test_a_frozen_backbone_keeps_its_bytes_over_20_rounds_of_fedadam(
    digits: str, tmp_path: Path
) -> None:
    workdir = _run(digits, tmp_path / "frozen", "edge_cnn", StartConfig(trainable="head"), 20)
    moved, kept = _moved(workdir, 20)
    assert {name.split("/", 2)[1] for name in moved} == {"trainable"}
    assert {name.rsplit("/", 2)[1] for name in moved} == {"head"}
    assert {name.rsplit("/", 2)[1] for name in kept} == {"conv1", "conv2"}
    whole = _run(digits, tmp_path / "whole", "edge_cnn", StartConfig(), 2)
    sent = [metrics.read_rows(w / "metrics.jsonl")[2]["bytes_up"] for w in (workdir, whole)]
    assert sent[0] < sent[1]


@pytest.fixture(scope="module")
def batch_norm_model() -> str:
    """Three convolutions, each with a BatchNorm."""
    name = "small_cnn_batch_norm"
    if name not in known_models.names():
        small = "fed_pretrain.models.small_cnns:small_cnn"
        batch = (("norm", "batch"),)
        known_models.register(ModelSpec(name, "image", small, ("head",), "a test's", batch))
    return name


@pytest.mark.slow
@pytest.mark.parametrize("statistics", ["frozen", "local", "average"])
def test_batch_norm_statistics_move_only_where_they_are_averaged(
    statistics: str, batch_norm_model: str, digits: str, tmp_path: Path
) -> None:
    start = StartConfig(batch_norm="keep", bn_statistics=statistics)
    workdir = _run(digits, tmp_path / statistics, batch_norm_model, start, 2, steps=1)
    moved, kept = _moved(workdir, 2)
    assert any(name.endswith("conv1/kernel") for name in moved)
    moved_statistics = {name for name in moved if "/moving_" in name}
    assert len(moved_statistics) == (6 if statistics == "average" else 0)
    assert len(moved_statistics) + len([name for name in kept if "/moving_" in name]) == 6
