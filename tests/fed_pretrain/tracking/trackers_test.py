"""A run tells its followers what happens, and goes on whatever becomes of them."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from fed_pretrain.experiment.training.run import train
from fed_pretrain.experiment.workdir.metrics import read_rows
from fed_pretrain.tracking import known_trackers
from fed_pretrain.tracking.follower import FollowedRun, Follower, Row
from fed_pretrain.tracking.mlflow_tracker import MlflowTracker
from fed_pretrain.tracking.tracker import Guarded, Tracker, TrackingConfig
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import small


class Heard(Follower):
    def __init__(self) -> None:
        self.run: FollowedRun | None = None
        self.rounds: list[int] = []
        self.files: Sequence[Path] = ()

    def begin(self, run: FollowedRun, rows: Sequence[Row]) -> None:
        self.run = run
        self.rounds = [int(row["round"]) for row in rows]

    def row(self, row: Row) -> None:
        self.rounds.append(int(row["round"]))

    def end(self, reason: str, files: Sequence[Path]) -> None:
        assert reason == "all 2 rounds done"
        self.files = files


class Broken(Tracker):
    name = "broken"

    def __init__(self) -> None:
        super().__init__(TrackingConfig())
        self.calls = 0

    def row(self, row: Row) -> None:
        self.calls += 1
        raise ConnectionError("the server is gone\nand more")


def test_a_follower_hears_of_every_round_and_a_broken_tracker_of_no_more(tmp_path, capfd) -> None:
    heard, broken = Heard(), Broken()
    train(small(tmp_path / "run"), followers=[Guarded(broken), heard])
    assert (
        heard.rounds == [0, 1, 2] == [r["round"] for r in read_rows(tmp_path / "run/metrics.jsonl")]
    )
    assert heard.run is not None
    assert heard.run.parameters["client_learning_rate"] > 0
    assert len(heard.run.tags["run_identity"]) == 64
    assert all(path.is_file() for path in heard.files)
    assert {"config.json", "metrics.csv", "SUCCESS"} <= {path.name for path in heard.files}
    assert broken.calls == 1
    warnings = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    assert warnings == [
        "warning: --track=broken failed and is off for the rest of this run"
        " (the server is gone and more); the run goes on"
    ]


def test_a_warning_leaves_the_password_of_an_address_out(capfd) -> None:
    class Unreachable(Broken):
        def row(self, row: Row) -> None:
            raise ConnectionError("API request to https://me:secret@host/api failed")

    Guarded(Unreachable()).row({})
    assert "failed and is off for the rest of this run (API request to https://***@host/api" in (
        capfd.readouterr().err
    )


class Server:
    """Stands in for MLflow's client: it counts the runs that were made."""

    def __init__(self) -> None:
        self.created = 0
        self.rounds: dict[str, list[int]] = {}

    def get_experiment_by_name(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(experiment_id="0")

    def create_run(self, experiment: str, run_name: str, tags: object) -> SimpleNamespace:
        self.created += 1
        self.rounds[f"run {self.created}"] = []
        return SimpleNamespace(info=SimpleNamespace(run_id=f"run {self.created}"))

    def update_run(self, run: str, status: str) -> None:
        assert status == "RUNNING"

    def get_run(self, run: str) -> SimpleNamespace:
        return SimpleNamespace(data=SimpleNamespace(metrics={"round": max(self.rounds[run])}))

    def log_batch(self, run: str, metrics: Sequence[Sequence[object]] = (), params=()) -> None:
        self.rounds[run] += [int(str(step)) for *_, step in metrics]


def test_mlflow_goes_on_in_its_run_under_another_password_and_keeps_neither(
    tmp_path, monkeypatch
) -> None:
    server, mlflow, entities = Server(), ModuleType("mlflow"), ModuleType("mlflow.entities")
    monkeypatch.setattr(mlflow, "MlflowClient", lambda: server, raising=False)
    monkeypatch.setattr(entities, "Param", lambda *values: values, raising=False)
    monkeypatch.setattr(entities, "Metric", lambda *values: values, raising=False)
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    run = FollowedRun("run", tmp_path, {"seed": 0}, {})
    rows = [{"round": number} for number in range(3)]
    for password, host, known in (("old", "host", 2), ("new", "host", 3), ("new", "other", 3)):
        address = f"https://me:{password}@{host}/api"
        monkeypatch.setattr(mlflow, "get_tracking_uri", lambda at=address: at, raising=False)
        MlflowTracker(TrackingConfig()).begin(run, rows[:known])
        kept = (tmp_path / "tracking" / "mlflow.json").read_text()
        assert password not in kept
        assert json.loads(kept)["place"] == f"https://***@{host}/api"
    # Another password is the same place, another host is not.
    assert server.rounds == {"run 1": [0, 1, 2], "run 2": [0, 1, 2]}


def test_a_tracker_that_is_not_known_or_not_installed_is_refused(monkeypatch) -> None:
    with pytest.raises(UserError, match=r"--track=mlfow is not one of .*did you mean 'mlflow'"):
        known_trackers.check(TrackingConfig(track=("mlfow",)))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install wandb"):
        known_trackers.check(TrackingConfig(track=("wandb",)))
