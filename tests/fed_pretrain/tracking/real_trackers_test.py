"""Runs in a real MLflow server and in W&B's offline mode, from `make test-trackers`."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / ".cache" / "trackers" / "bin"
SERVER = ROOT / ".cache" / "mlflow" / "bin" / "mlflow"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BIN.exists() and SERVER.exists()), reason="`make test-trackers` runs these"
    ),
]


class Server:
    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        command = [str(SERVER), "server", f"--port={self.address.rpartition(':')[2]}"]
        command += [f"--backend-store-uri=sqlite:///{folder}/mlflow.db"]
        command += [f"--artifacts-destination={folder}/artifacts", "--workers=1"]
        with open(folder / "server.log", "w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                # Its consumers of background jobs would outlive a server that is killed.
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        for _ in range(240):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.address}/health", timeout=5).close()
                return
            time.sleep(0.5)
        raise TimeoutError("the server does not answer")

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.address}/api/2.0/mlflow/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    try:
        made.wait()
        yield made
    finally:
        made.stop()


def train(workdir: Path, *flags: str, **environment: str) -> list[str]:
    command = [str(BIN / "python"), "-m", "fed_pretrain.train", "--task=digits", "--notensorboard"]
    command += ["--clients_per_round=3", "--max_examples=20", "--checkpoint_every=1"]
    command += ["--evaluate_every=1", f"--workdir={workdir}", *flags]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [line for line in done.stderr.splitlines() if line.startswith("warning")]


def runs_of(server: Server, project: str) -> list[dict[str, Any]]:
    experiment = server.ask(f"experiments/get-by-name?experiment_name={project}")["experiment"]
    body = {"experiment_ids": [experiment["experiment_id"]], "order_by": ["attributes.start_time"]}
    return list(server.ask("runs/search", body)["runs"])


def test_starts_can_be_compared_in_mlflow_and_a_continued_run_stays_one(server, tmp_path) -> None:
    place = {"MLFLOW_TRACKING_URI": server.address}
    flags = ("--track=mlflow", "--track_project=starts")
    assert train(tmp_path / "zero", "--rounds=2", *flags, **place) == []
    assert train(tmp_path / "zero", "--rounds=4", *flags, **place) == []
    assert train(tmp_path / "noisy", "--rounds=2", "--start_noise=0.5", *flags, **place) == []
    zero, noisy = runs_of(server, "starts")
    assert [run["info"]["status"] for run in (zero, noisy)] == ["FINISHED"] * 2
    assert [run["info"]["run_name"] for run in (zero, noisy)] == ["zero", "noisy"]
    parameters = {one["key"]: one["value"] for one in zero["data"]["params"]}
    assert parameters["clients_per_round"] == "3"
    run_id = zero["info"]["run_id"]
    history = server.ask(f"metrics/get-history?run_id={run_id}&metric_key=eval_accuracy")
    rows = [json.loads(line) for line in (tmp_path / "zero" / "metrics.jsonl").open()]
    assert [(m["step"], m["value"]) for m in history["metrics"]] == [
        (row["round"], row["eval_accuracy"]) for row in rows
    ]
    listed = server.ask(f"artifacts/list?run_id={run_id}")["files"]
    assert {"config.json", "metrics.csv", "SUCCESS"} <= {one["path"] for one in listed}


def test_a_server_that_is_not_there_costs_a_warning_and_no_run(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    flags = ("--rounds=2", "--track=mlflow")
    warnings = train(tmp_path / "run", *flags, MLFLOW_TRACKING_URI=address)
    assert len(warnings) == 1
    assert "--track=mlflow failed and is off" in warnings[0]
    assert (tmp_path / "run" / "SUCCESS").exists()


def test_a_server_that_dies_during_the_run_changes_no_row(tmp_path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(folder)
    try:
        server.wait()
        command = [str(BIN / "python"), "-m", "fed_pretrain.train", "--task=digits"]
        command += ["--rounds=150", "--clients_per_round=3", "--max_examples=20", "--notensorboard"]
        command += ["--track=mlflow", f"--workdir={tmp_path / 'run'}"]
        with open(tmp_path / "log", "w") as log:
            run = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "MLFLOW_TRACKING_URI": server.address},
                stdout=log,
                stderr=log,
            )
        rows = tmp_path / "run" / "metrics.jsonl"
        for _ in range(1200):
            if rows.exists() and len(rows.read_bytes().splitlines()) > 3:
                break
            time.sleep(0.1)
        server.stop()
        assert run.wait(timeout=300) == 0
    finally:
        server.stop()
    assert (tmp_path / "log").read_text().count("--track=mlflow failed and is off") == 1
    assert [json.loads(line)["round"] for line in rows.open()] == list(range(151))


def test_wandb_keeps_a_run_offline(tmp_path) -> None:
    flags = ("--rounds=2", "--track=wandb")
    assert train(tmp_path / "run", *flags, WANDB_MODE="offline") == []
    assert list((tmp_path / "run" / "tracking").rglob("*.wandb"))
