"""A run killed anywhere and started again ends with the bytes of one never killed."""

import hashlib
import json
import signal
from collections.abc import Iterator

import pytest

from fed_pretrain.experiment.workdir.metrics import machine_dependent, read_rows
from groundwork import array_file, files
from tests.command_server import Server

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


SETTINGS = (
    "--task=digits",
    "--rounds=4",
    "--clients_per_round=3",
    "--max_examples=40",
    "--checkpoint_every=2",
    "--evaluate_every=2",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server(["fed_pretrain.train"])
    yield made
    made.close()


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


def check_killed_at(points, server, tmp_path, algorithm):
    def run(workdir, kill_at=None):
        flags = [*SETTINGS, f"--algorithm={algorithm}", f"--workdir={workdir}"]
        environment = {files.VARIABLE: kill_at} if kill_at else {}
        return server.run("fed_pretrain.train", flags, tmp_path, 900, environment)

    whole = run("whole")
    assert whole["code"] == 0, whole
    kills = []
    for point in points:
        told = run("killed", point)
        assert told["code"] in (0, -signal.SIGKILL), f"{point}: {told}"
        kills.append(told["code"] == -signal.SIGKILL)
    # A continued run has fewer writes left than the first: not all of many points are met.
    assert sum(kills) >= max(len(FEW_POINTS), len(points) - 2), dict(
        zip(points, kills, strict=True)
    )
    told = run("killed")
    assert told["code"] == 0, told
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def test_a_run_killed_twice_ends_with_the_same_bytes(server, tmp_path):
    check_killed_at(FEW_POINTS, server, tmp_path, "fedavg")


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["fedavg", "fedadam", "scaffold"])
def test_runs_killed_at_every_point_end_with_the_same_bytes(server, tmp_path, algorithm):
    check_killed_at(POINTS, server, tmp_path, algorithm)
