"""A run killed anywhere and started again ends with the bytes of one never killed."""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from fed_pretrain.experiment.workdir.metrics import machine_dependent, read_rows
from groundwork import array_file, files

ROOT = pathlib.Path(__file__).resolve().parents[4]
# In the order in which one run meets them: each resumes what the one before it left.
POINTS = (
    "mid-write:1",  # config.json
    "before-replace:2",  # start.json
    "mid-write:5",  # a snapshot of round 0
    "before-checkpoint:1",  # round 0
    "mid-write:7",
    "after-round:1",
    "after-metrics:1",
    "before-checkpoint:1",
    "before-replace:6",
    "after-checkpoint:1",
    "after-metrics:3",
)
# Between a round and its checkpoint, and in the middle of a later write.
FEW_POINTS = ("after-metrics:1", "mid-write:7")


def command(workdir, *flags):
    return [
        sys.executable,
        "-m",
        "fed_pretrain.train",
        "--task=digits",
        "--rounds=4",
        "--clients_per_round=3",
        "--max_examples=40",
        "--checkpoint_every=2",
        "--evaluate_every=2",
        f"--workdir={workdir}",
        *flags,
    ]


def run(workdir, *flags, kill_at=None):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if kill_at:
        environment[files.VARIABLE] = kill_at
    done = subprocess.run(
        command(workdir, *flags),
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    return done.returncode, done.stdout


def outcome(workdir):
    """Everything a reader may trust, without what depends on the machine."""
    rows = [
        {name: value for name, value in row.items() if not machine_dependent(name)}
        for row in read_rows(workdir / "metrics.jsonl")
    ]
    header = (workdir / "metrics.csv").read_text().splitlines()[0]
    last = array_file.load(workdir / "checkpoints" / "round-000004.ckpt")
    weights = {
        name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in last.arrays.items()
    }
    models = {
        name: hashlib.sha256((workdir / name).read_bytes()).hexdigest()
        for name in ("final.keras", "best.keras")
    }
    probes = {path.name: path.read_bytes() for path in (workdir / "probes").glob("*.json*")}
    assert json.loads(probes["distances.json"])["provenance"]["round"] == 4
    return rows, header, weights, models, probes


def check_killed_at(points, tmp_path, *flags):
    code, text = run(tmp_path / "whole", *flags)
    assert code == 0, text
    kills = []
    for point in points:
        code, text = run(tmp_path / "killed", *flags, kill_at=point)
        assert code in (0, -signal.SIGKILL), f"{point}: {text}"
        kills.append(code == -signal.SIGKILL)
    # A continued run has fewer writes left than the first: not all of many points are met.
    assert sum(kills) >= max(len(FEW_POINTS), len(points) - 2), dict(
        zip(points, kills, strict=True)
    )
    code, text = run(tmp_path / "killed", *flags)
    assert code == 0, text
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def test_a_run_killed_twice_ends_with_the_same_bytes(tmp_path):
    check_killed_at(FEW_POINTS, tmp_path, "--algorithm=fedavg")


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["fedavg", "fedadam", "scaffold"])
def test_runs_killed_at_every_point_end_with_the_same_bytes(tmp_path, algorithm):
    check_killed_at(POINTS, tmp_path, f"--algorithm={algorithm}")
