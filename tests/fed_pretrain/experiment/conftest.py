"""Runs that several tests look at: each is trained once a session, in this process."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from fed_pretrain.experiment.config import EvaluationConfig, RunConfig, SavingConfig, WorkConfig
from fed_pretrain.experiment.train import RunResult, train


def small(workdir: Path, **changes: Any) -> RunConfig:
    """A run of seconds on real digits; nested fields go by `section={field: value}`."""
    config = RunConfig(
        task="digits",
        workdir=str(workdir),
        algorithm_name="fedavg",
        work=WorkConfig(rounds=2, clients_per_round=3, max_examples=40),
        evaluation=EvaluationConfig(evaluate_every=1),
        saving=SavingConfig(checkpoint_every=1, tensorboard=False),
    )
    for name, value in changes.items():
        if isinstance(value, dict):
            value = dataclasses.replace(getattr(config, name), **value)
        config = dataclasses.replace(config, **{name: value})
    return config


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the small CNN; tests must not write into it."""
    return train(small(tmp_path_factory.mktemp("runs") / "digits")).workdir


@pytest.fixture(scope="session")
def shakespeare_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the character model; tests must not write into it."""
    config = small(
        tmp_path_factory.mktemp("runs") / "shakespeare",
        task="shakespeare",
        model="char_lstm",
        work={"rounds": 1, "clients_per_round": 2, "max_examples": 20},
        evaluation={"eval_examples": 40},
    )
    return train(config).workdir


@pytest.fixture(scope="session")
def squeezenet_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = small(
        tmp_path_factory.mktemp("runs") / "squeezenet",
        model="squeezenet1_1",
        options={"input_size": 32},
        work={"rounds": 1, "clients_per_round": 2, "max_examples": 8},
        evaluation={"eval_examples": 20},
    )
    return train(config).workdir


def resumed(result: RunResult) -> list[int]:
    return [int(row["round"]) for row in result.rows]
