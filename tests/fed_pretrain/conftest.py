"""Runs that several tests look at: each is trained once a session, in this process."""

from pathlib import Path

import pytest

from fed_pretrain.experiment.training.run import train
from tests.fed_pretrain.experiment.small_runs import small


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
