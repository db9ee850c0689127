"""A study under a real Airflow and a real kfp, from `make test-airflow`'s own environment."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / ".cache" / "airflow" / "bin"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BIN / "airflow").exists(), reason="`make test-airflow` runs these"),
]
PLAN = """\
name: {name}
title: A small study
question: Does noise on the start matter?
settings: {rounds: 300, clients_per_round: 3, max_examples: 30, checkpoint_every: 20}
tasks:
  digits:
    task: digits
    starts: {random: {start: random}, noisy: {start: random, start_noise: 0.5}}
algorithms:
  fedavg: {algorithm: fedavg}
seeds: [0]
"""
GROWING = """\
name: growing
title: A study by month
question: Is last month's model a good start?
settings: {rounds: 3, clients_per_round: 3, max_examples: 20}
intervals: ["2018-04"]
tasks:
  chat:
    task: chitchat
    dataset: {source: chitchat, split: by_example, split_fractions: "0.7,0.1,0.2"}
    settings: {model: char_cnn, eval_examples: 100}
    starts: {random: {start: random}, carried: {continue_from: random}}
algorithms:
  fedavg: {algorithm: fedavg}
seeds: [0]
"""
KILLED = "train/digits/random/fedavg/0"


def study(folder: Path, name: str, *flags: str, text: str = PLAN) -> list[str]:
    folder.mkdir(exist_ok=True)
    plan = folder / f"{name}.yaml"
    plan.write_text(text.replace("{name}", name))
    program = [sys.executable, "-m", "pipelines.study", f"--plan={plan}"]
    return [*program, f"--workdir={folder / name}", *flags]


def run(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def until(condition, seconds: float, what: str, pause: float = 0.2):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def airflow(home: Path, dags: Path) -> Iterator[dict[str, str]]:
    """A standalone Airflow on its own database; gives the environment for its command."""
    port = free_port()
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__CORE__PARALLELISM": "2",
    }
    home.mkdir()
    with open(home / "standalone.log", "wb") as log:
        server = subprocess.Popen(
            [BIN / "airflow", "standalone"],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield environment
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)


def states(environment: Mapping[str, str], dag: str) -> dict[str, str]:
    told = run(
        [str(BIN / "airflow"), "tasks", "states-for-dag-run", dag, "by_test", "-o", "json"],
        environment,
    )
    rows = json.loads(told[told.index('[{"') :])
    return {row["task_id"]: row["state"] for row in rows}


def unpause(environment: Mapping[str, str], dag: str) -> None:
    command = [str(BIN / "airflow"), "dags"]

    def listed() -> bool:
        done = subprocess.run(
            [*command, "list", "-o", "plain"], env=environment, capture_output=True, text=True
        )
        return dag in done.stdout

    until(listed, 180, f"{dag} is listed")
    run([*command, "unpause", dag], environment)


def start_run(environment: Mapping[str, str], dag: str) -> None:
    unpause(environment, dag)
    run([str(BIN / "airflow"), "dags", "trigger", dag, "--run-id", "by_test"], environment)


def runs_of(environment: Mapping[str, str], dag: str) -> dict[str, str]:
    """The states of a DAG's runs by the day at which their data begins."""
    listed = run([str(BIN / "airflow"), "dags", "list-runs", dag, "-o", "json"], environment)
    start = listed.find('[{"')
    rows = json.loads(listed[start:]) if start >= 0 else []
    return {row["logical_date"][:10]: row["state"] for row in rows}


def process_of(step: str, workdir: Path) -> int | None:
    """The process in which Airflow runs a step."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if (
                f"--step={step}".encode() in arguments
                and f"--workdir={workdir}".encode() in arguments
                and arguments[0].endswith(b"python")
            ):
                return int(entry.name)
    return None


def numbers(workdir: Path) -> dict[str, list[float]]:
    """The accuracies of each run by round: the columns that hold no seconds."""
    result = {}
    for path in sorted(workdir.rglob("metrics.csv")):
        header, *rows = [line.split(",") for line in path.read_text().splitlines()]
        kept = [i for i, name in enumerate(header) if "accuracy" in name or "loss" in name]
        result[str(path.parent.relative_to(workdir))] = [row[i] for row in rows for i in kept]
    return result


def test_a_killed_task_is_retried_to_the_same_numbers_and_a_failed_one_is_red(tmp_path) -> None:
    run(study(tmp_path, "undisturbed"))
    dags = tmp_path / "dags"
    for name in ("killed", "broken"):
        run(study(tmp_path, name, "--export=airflow", f"--output={dags / name}.py"))
    # A file where a step wants its folder: the step fails with a sentence.
    (tmp_path / "broken" / "steps" / "train" / "digits").mkdir(parents=True)
    (tmp_path / "broken" / "steps" / "train" / "digits" / "noisy").write_text("")

    with airflow(tmp_path / "home", dags) as environment:
        start_run(environment, "killed")
        victim = until(lambda: process_of(KILLED, tmp_path / "killed"), 180, "the step runs")
        until(lambda: list((tmp_path / "killed").rglob("*.ckpt")), 180, "a checkpoint is written")
        os.kill(victim, signal.SIGKILL)
        ended = until(
            lambda: (s := states(environment, "killed"))["report"] in ("success", "failed") and s,
            500,
            "the run ended",
            pause=5,
        )
        assert set(ended.values()) == {"success"}, ended
        start_run(environment, "broken")
        ended = until(
            lambda: (s := states(environment, "broken"))["report"] in ("success", "failed") and s,
            500,
            "the run ended",
            pause=5,
        )
        assert ended["train--digits--noisy--fedavg--0"] == "failed"
        assert ended["train--digits--random--fedavg--0"] == "success"
        logs = "".join(
            p.read_text() for p in (tmp_path / "home" / "logs").rglob("*noisy*/**/*.log")
        )
    assert "Traceback" not in logs
    assert "steps/train/digits/noisy" in logs
    assert numbers(tmp_path / "killed" / "steps") == numbers(tmp_path / "undisturbed" / "steps")
    assert list((tmp_path / "killed" / "steps").glob("report@*/index.html"))


def test_kfp_compiles_the_pipeline_and_airflow_parses_the_pods(tmp_path) -> None:
    where = ("--image=registry.example:5000/fed_pretrain:1", f"--volume=studies:{tmp_path}")
    file = tmp_path / "pipeline.py"
    run(study(tmp_path, "toy", "--export=kubeflow", f"--output={file}", *where))
    subprocess.run([BIN / "python", file], cwd=tmp_path, check=True)
    compiled = (tmp_path / "toy.yaml").read_text()
    assert KILLED in compiled
    assert "registry.example:5000/fed_pretrain:1" in compiled
    assert "studies" in compiled
    pods = tmp_path / "pods.py"
    run(study(tmp_path, "toy", "--export=airflow", f"--output={pods}", *where))
    check = f"import runpy; d = runpy.run_path({str(pods)!r})['tasks']; print(sorted(d))"
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "home")}
    told = run([str(BIN / "python"), "-c", check], environment)
    assert "train--digits--random--fedavg--0" in told


def test_a_schedule_adds_the_month_that_ended_to_one_report(tmp_path) -> None:
    dag = tmp_path / "dags" / "growing.py"
    run(study(tmp_path, "growing", "--export=airflow", "--schedule=@monthly", f"--output={dag}",
              text=GROWING))  # fmt: skip
    # The data ends in May; without an end the schedule would go on to today.
    text = dag.read_text().replace("catchup=True,", "catchup=True, end_date=END,")
    end = "END = datetime.datetime(2018, 5, 1, tzinfo=datetime.UTC)"
    dag.write_text(text.replace("\n\nwith DAG(", f"\n\n{end}\n\nwith DAG("))
    with airflow(tmp_path / "home", tmp_path / "dags") as environment:
        unpause(environment, "growing")
        ended = until(
            lambda: (
                (r := runs_of(environment, "growing"))
                and set(r.values()) <= {"success", "failed"}
                and r
            ),
            500,
            "the month is done",
            pause=5,
        )
    assert ended == {"2018-05-01": "success"}
    steps = tmp_path / "growing" / "steps" / "train" / "chat"
    assert sorted(p.name for p in steps.iterdir()) == ["2018-04", "2018-05"]
    reports = (tmp_path / "growing" / "steps").glob("report@*/index.html")
    report = max(reports, key=lambda page: page.stat().st_mtime)
    assert "2018-05" in report.read_text()
