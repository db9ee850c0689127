"""Rates that Optuna proposes, from `make test-optuna`."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".cache" / "optuna" / "bin" / "python"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="`make test-optuna` runs these"),
]
# What Optuna proposes by itself, told the values that the trials had.
AGAIN = """
import json, sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
found = json.load(open(sys.argv[1]))["trials"]
sampler = optuna.samplers.TPESampler(seed=3, n_startup_trials=2)
study = optuna.create_study(direction="maximize", sampler=sampler)
for trial in found:
    asked = study.ask()
    rate = asked.suggest_float("client_learning_rate", 0.001, 1.0, log=True)
    assert rate == trial["rates"]["client_learning_rate"], (rate, trial)
    study.tell(asked, trial["accuracy"] or 0.0)
"""


def tune(workdir: Path, dataset: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [str(PYTHON), "-m", "pipelines.tune", "--task=digits", "--search=optuna"]
    command += ["--rates=client_learning_rate=0.001,1", "--trials=6", "--tuning_rounds=1"]
    command += ["--clients_per_round=3", "--max_examples=20", "--seed=3"]
    command += [f"--workdir={workdir}", f"--dataset={dataset}", *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


def trials_of(workdir: Path) -> list[dict[str, float]]:
    return list(json.loads((workdir / "trials.json").read_text())["trials"])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("optuna") / "digits"
    prepare(PrepareConfig(source="digits", output=str(path), split_fractions=(0.7, 0.1, 0.2)))
    return path


def test_trials_are_those_of_optuna_and_a_tuning_begun_again_has_the_same(
    tmp_path: Path, dataset: Path
) -> None:
    done = tune(tmp_path / "one", dataset, "--halvings=0")
    assert done.returncode == 0, done.stderr
    subprocess.run([str(PYTHON), "-c", AGAIN, str(tmp_path / "one" / "trials.json")], check=True)
    trials = trials_of(tmp_path / "one")
    assert len(trials) == 6
    best = max(trials, key=lambda trial: (trial["accuracy"], -trial["loss"]))
    flag = f"--client_learning_rate={best['rates']['client_learning_rate']!r}\n"
    assert (tmp_path / "one" / "rates.flags").read_text() == flag
    (tmp_path / "one" / "trials.json").unlink()
    (tmp_path / "one" / "trials" / "0-04" / "trial.json").unlink()
    assert tune(tmp_path / "one", dataset, "--halvings=0").returncode == 0
    assert trials_of(tmp_path / "one") == trials


def test_the_worse_half_is_pruned(tmp_path: Path, dataset: Path) -> None:
    done = tune(tmp_path / "pruned", dataset, "--halvings=2")
    assert done.returncode == 0, done.stderr
    trials = trials_of(tmp_path / "pruned")
    rounds = [trial["rounds"] for trial in trials]
    assert len(rounds) == 6
    assert set(rounds) >= {1, 4}
    folders = sorted(path.name for path in (tmp_path / "pruned" / "trials").iterdir())
    assert folders == sorted(
        f"{rung}-{number:02d}"
        for number, last in enumerate(rounds)
        for rung, here in enumerate((1, 2, 4))
        if here <= last
    )
