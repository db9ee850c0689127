"""The binaries, as a user runs them."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.processes import still_running


def run(binary: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"data_prep.{binary}", *arguments],
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("prepare") / "digits"
    done = run("prepare", "--source=digits", f"--output={output}")
    assert done.returncode == 0, done.stderr
    assert "1,797 examples read, 1,797 written" in done.stdout
    return output


def test_verify_describe_and_export_take_what_prepare_made(digits: Path, tmp_path: Path) -> None:
    sound = run("verify", f"--dataset={digits}")
    assert (sound.returncode, sound.stdout.splitlines()[-1]) == (0, f"{digits}: sound")
    described = run("describe", f"--dataset={digits}", f"--output={tmp_path / 'pictures'}")
    assert described.returncode == 0
    assert (tmp_path / "pictures" / "train_labels.png").exists()
    exported = run(
        "export", f"--dataset={digits}", "--layout=tff_sqlite", f"--output={tmp_path / 'sql'}"
    )
    assert exported.returncode == 0
    assert (tmp_path / "sql" / "dataset.sqlite").exists()


def test_verify_fails_on_a_flipped_byte(digits: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(digits, copy)
    shard = copy / "train-00000-of-00001.tfrecord"
    content = bytearray(shard.read_bytes())
    content[12345] ^= 4
    shard.write_bytes(bytes(content))
    damaged = run("verify", f"--dataset={copy}")
    assert damaged.returncode == 1
    assert "train-00000-of-00001.tfrecord" in damaged.stdout


def test_a_dry_run_says_how_big_it_will_be_and_writes_nothing(tmp_path: Path) -> None:
    done = run(
        "prepare",
        "--source=mnist5k",
        "--partition=iid",
        "--num_clients=10",
        f"--output={tmp_path / 'out'}",
        "--dry_run",
    )
    assert done.returncode == 0, done.stderr
    for part in ("iid num_clients=10", "about 5,000", "4.0 MiB", "nothing was written"):
        assert part in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--source=digits",), "--output is missing"),
        (("--output=x",), "--source is missing"),
        (("--source=digits", "--output=x", "--colour=red"), "unknown option --colour=red"),
        (("--source=digits", "--output=x", "--partition=random"), "partition"),
        (("--source=digits", "--output=x", "--num_clients=many"), "num_clients"),
        (("--source=digits", "--output=x", "--split_fractions=a,b,c"), "--split_fractions=a,b,c"),
        (("--source=digits", "--output=x", "--source_options=red"), "name=value"),
        (("--source=csv", "--output=x", "--input=/nowhere/*.csv"), "no such file"),
        (("--source=digits", "--output=x", "--runner=DirectRunner"), "DirectRunner"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(
    arguments: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "data_prep.prepare", *arguments],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not Path("x").exists()


def test_all_sources_are_listed_with_their_options() -> None:
    done = run("prepare", "--list_sources")
    assert done.returncode == 0
    for name in ("digits", "femnist_leaf", "reddit_pushshift", "stackoverflow_tff", "tfds"):
        assert name in done.stdout


@pytest.mark.parametrize("workers", [1, 2])
def test_control_c_stops_with_one_sentence_and_leaves_no_process(
    workers: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "data_prep.prepare", "--source=chitchat"]
    process = subprocess.Popen(
        [*command, f"--workers={workers}", f"--output={tmp_path / 'out'}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    started = tmp_path / ".out.preparing" / "progress"
    deadline = time.monotonic() + 600
    while not started.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=600)
    assert process.returncode == 130
    assert stderr.strip().splitlines()[-1] == "stopped; the same command goes on from what is done"
    assert "Traceback" not in stderr
    assert still_running(child.pid for child in children) == []
    assert not (tmp_path / "out").exists()
