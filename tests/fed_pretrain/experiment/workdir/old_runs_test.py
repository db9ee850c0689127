"""Work directories of earlier versions go on, and nothing that they hold is lost."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fed_pretrain.experiment.assembly.run_config import (
    ProbeConfig,
    RunConfig,
    SavingConfig,
    WorkConfig,
    identity_on_disk,
)
from fed_pretrain.experiment.training.run import train
from groundwork import array_file
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import rounds_of, small

FORMAT_1 = Path(__file__).with_name("run_of_format_1")
LAST = "checkpoints/round-000003.ckpt"


def linear(workdir: Path, rounds: int, **changes: object) -> RunConfig:
    """What the run of format 1 was asked for, with more rounds."""
    config = RunConfig(
        task="digits",
        model="linear",
        workdir=str(workdir),
        algorithm_name="fedadam",
        seed=3,
        work=WorkConfig(rounds=rounds, clients_per_round=2),
        probes=ProbeConfig(probes="alignment"),
        saving=SavingConfig(tensorboard=False),
    )
    return dataclasses.replace(config, **changes)


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FORMAT_1, tmp_path / "old"))


def test_a_run_of_format_1_goes_on_as_a_new_run_does(old_run: Path, tmp_path: Path) -> None:
    """To rounding: its rounds were made on another processor, whose sums end in other bits."""
    continued = train(linear(old_run, rounds=3))
    assert rounds_of(continued) == [0, 1, 2, 3]
    assert json.loads((old_run / "config.json").read_text())["format"] == 2
    train(linear(tmp_path / "new", rounds=3))
    old, new = (array_file.load(run / LAST).arrays for run in (old_run, tmp_path / "new"))
    assert list(old) == list(new)
    for name, expected in new.items():
        np.testing.assert_allclose(old[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_run_of_format_1_refuses_another_seed_and_names_it(old_run: Path) -> None:
    with pytest.raises(UserError, match="seed: 3 -> 4"):
        train(linear(old_run, rounds=3, seed=4))


def test_a_setting_that_an_old_run_did_not_know_is_no_difference_at_its_neutral_value() -> None:
    saved = json.loads((FORMAT_1 / "config.json").read_text())
    del saved["identity"]["algorithm"]["dyn_alpha"]
    del saved["identity"]["system"]
    assert identity_on_disk(saved) == identity_on_disk(
        json.loads((FORMAT_1 / "config.json").read_text())
    )
    saved["identity"]["algorithm"]["dyn_alpha"] = 0.7
    assert identity_on_disk(saved)["algorithm"]["dyn_alpha"] == 0.7


def test_fewer_rounds_than_are_done_are_refused_and_nothing_is_lost(
    digits_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(digits_run, tmp_path / "run"))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"--rounds=1: .* holds 2 rounds already"):
        train(small(run, work={"rounds": 1}))
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
