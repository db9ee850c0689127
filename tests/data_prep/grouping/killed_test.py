"""kill -9 at every stage, then the same command: the same bytes, and nothing left over."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from data_prep.store.reader import open_dataset
from groundwork import staging
from tests.data_prep.grouping import table_of_digits
from tests.processes import still_running

POINTS = {
    "natural": (
        "prepare_spill:1",
        "prepare_spill:3",
        "prepare_plan:1",
        "prepare_merge:2",
        "prepare_finish:1",
        "prepare_manifest:1",
        "prepare_move:1",
        "prepare_moved:1",
    ),
    "iid": ("prepare_index:2", "prepare_assign:1", "prepare_spill:2"),
}


def command(source: Path, output: Path, partition: str, *more: str) -> list[str]:
    clients = ["--num_clients=11"] if partition == "iid" else []
    options = ",".join(f"{name}={value}" for name, value in table_of_digits.OPTIONS.items())
    return [
        sys.executable,
        "-m",
        "data_prep.prepare",
        "--source=csv",
        f"--input={source}",
        f"--output={output}",
        f"--source_options={options}",
        f"--partition={partition}",
        "--shards=2",
        *clients,
        *more,
    ]


def run(arguments: list[str], kill_at: str = "") -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if kill_at:
        environment["FED_PRETRAIN_KILL_AT"] = kill_at
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of over a megabyte each, so that each is its own task."""
    folder = table_of_digits.write(tmp_path_factory.mktemp("killed") / "table", files=3)
    for path in folder.iterdir():
        header, *rows = path.read_text().splitlines()
        path.write_text("\n".join([header, *(row + row[-30:] * 70 for row in rows)]) + "\n")
    return folder


@pytest.fixture(scope="module")
def references(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("references")
    for partition in POINTS:
        done = run(command(source, folder / partition, partition, "--workers=1"))
        assert done.returncode == 0, done.stderr
    return {partition: folder / partition for partition in POINTS}


QUICK = ("prepare_spill:3", "prepare_moved:1")


@pytest.mark.parametrize(
    ("partition", "point"),
    [
        pytest.param(
            partition, point, marks=() if point in QUICK else (pytest.mark.slow,), id=point
        )
        for partition, points in POINTS.items()
        for point in points
    ],
)
def test_killed_and_started_again_it_writes_the_same_bytes(
    partition: str, point: str, source: Path, references: dict[str, Path], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    arguments = command(source, output, partition, "--workers=1")
    assert run(arguments, kill_at=point).returncode == -signal.SIGKILL
    assert output.exists() == (point == "prepare_moved:1")
    again = run(arguments)
    assert again.returncode == 0, again.stderr
    assert table_of_digits.content(output) == table_of_digits.content(references[partition])
    assert open_dataset(output).fingerprint == open_dataset(references[partition]).fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_finished_pieces_of_a_killed_run_are_not_made_again(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = command(source, output, "natural", "--workers=1")
    run(arguments, kill_at="prepare_spill:3")
    runs = staging.folder_of(output) / "runs"
    before = {path.name for path in runs.glob("*.run")}
    assert before
    run(arguments, kill_at="prepare_plan:1")
    assert before <= {path.name for path in runs.glob("*.run")}


def test_what_killed_preparations_spilled_is_removed_by_the_next(
    source: Path, tmp_path: Path
) -> None:
    """Each is killed in its first task, when it has spilled and the task does not count as done."""
    arguments = command(source, tmp_path / "out", "natural", "--workers=1", "--spill_mb=1")
    folder = staging.folder_of(tmp_path / "out") / "runs"
    left = []
    for _ in range(2):
        assert run(arguments, kill_at="before-replace:3").returncode == -signal.SIGKILL
        left.append({path.name for path in folder.glob("*.run")})
    assert left[0]
    assert left[1]
    assert not left[0] & left[1]


@pytest.mark.slow
def test_other_settings_after_a_kill_start_from_nothing(
    source: Path, references: dict[str, Path], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    run(command(source, output, "iid", "--workers=1"), kill_at="prepare_merge:1")
    assert run(command(source, output, "natural", "--workers=1")).returncode == 0
    assert table_of_digits.content(output) == table_of_digits.content(references["natural"])


def test_a_killed_driver_leaves_no_worker_process(source: Path, tmp_path: Path) -> None:
    arguments = command(source, tmp_path / "out", "natural", "--workers=2", "--spill_mb=1")
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    workers: list[psutil.Process] = []
    deadline = time.monotonic() + 600
    while len(workers) < 2 and process.poll() is None and time.monotonic() < deadline:
        workers = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.02)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    assert still_running(worker.pid for worker in workers) == []


def test_a_killed_worker_is_one_sentence_and_the_same_command_goes_on(
    source: Path, references: dict[str, Path], tmp_path: Path
) -> None:
    arguments = command(source, tmp_path / "out", "natural", "--workers=2")
    died = run(arguments, kill_at="prepare_spill:2")
    assert died.returncode == 2
    assert "a worker process died" in died.stderr.splitlines()[-1]
    assert "Traceback" not in died.stderr
    assert run(arguments).returncode == 0
    assert table_of_digits.content(tmp_path / "out") == table_of_digits.content(
        references["natural"]
    )


def test_a_second_process_on_the_same_output_is_refused(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with staging.staging(output, "another request"):
        second = run(command(source, output, "natural"))
    assert second.returncode == 2
    assert "another process is preparing it" in second.stderr
    assert "Traceback" not in second.stderr
