"""The programs on a server that speaks S3, from `make test-stores`' own environment."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / ".cache" / "stores" / "bin"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BIN / "moto_server").exists(), reason="`make test-stores` runs these"),
]
BUCKET = "s3://bucket"
SECRET = "5ecret0fTheTest"
TRAIN = (
    "--task=digits", "--algorithm=fedavg", "--rounds=12", "--checkpoint_every=2",
    "--clients_per_round=4", "--seed=3", f"--dataset={BUCKET}/data/digits",
)  # fmt: skip
PLAN = """\
name: stored
title: A study in a store
question: Does noise on the start matter?
settings: {rounds: 2, clients_per_round: 3, max_examples: 30, dataset: "s3://bucket/data/digits"}
tasks:
  digits:
    task: digits
    starts: {random: {start: random}, noisy: {start: random, start_noise: 0.5}}
algorithms:
  fedavg: {algorithm: fedavg}
seeds: [0]
"""


class Machine:
    """Programs with their own cache: all they share with others is the store."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.cache = folder
        self.environment = {
            **os.environ,
            "FED_PRETRAIN_CACHE": str(folder),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "PYTHONPATH": str(ROOT),
        }

    def start(self, module: str, *flags: str, **more: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [BIN / "python", "-m", module, *flags],
            cwd=self.cache.parent,
            env={**self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, module: str, *flags: str, code: int = 0, **more: str) -> str:
        process = self.start(module, *flags, **more)
        output, errors = process.communicate(timeout=600)
        assert process.returncode == code, f"{output}\n{errors}"
        assert SECRET not in output + errors
        return output + errors


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        with contextlib.suppress(OSError):
            request = urllib.request.Request(f"{address}/bucket", method="PUT")
            urllib.request.urlopen(request).close()
            break
        time.sleep(0.2)
    yield address
    server.kill()
    server.wait()


@pytest.fixture(scope="module")
def machine(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    made = Machine(tmp_path_factory.mktemp("first") / "cache", endpoint)
    made.run("data_prep.prepare", "--source=digits", f"--output={BUCKET}/data/digits", "--shards=3")
    return made


@pytest.fixture
def other(endpoint: str, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "cache", endpoint)


def boto3(machine: Machine, program: str, *arguments: str) -> str:
    """Asks the store by a library that is not part of the programs."""
    prelude = "import boto3, json, sys; s3 = boto3.resource('s3'); "
    return subprocess.run(
        [BIN / "python", "-c", prelude + program, *arguments],
        env=machine.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def objects(machine: Machine, folder: str) -> dict[str, bytes]:
    """What the store holds below a folder."""
    found = boto3(
        machine,
        "print(json.dumps({o.key: o.get()['Body'].read().hex()"
        " for o in s3.Bucket('bucket').objects.filter(Prefix=sys.argv[1])}))",
        folder,
    )
    return {
        name.removeprefix(folder): bytes.fromhex(content)
        for name, content in json.loads(found).items()
    }


def same_numbers(mine: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> bool:
    """The weights, and the rows without what depends on the machine."""
    rows = [
        [
            {name: value for name, value in json.loads(line).items() if "seconds" not in name}
            for line in content["metrics.jsonl"].decode().splitlines()
        ]
        for content in (mine, theirs)
    ]
    for row in (*rows[0], *rows[1]):
        for name in [name for name in row if "memory" in name]:
            del row[name]
    last = "checkpoints/round-000012.ckpt"
    return (
        rows[0] == rows[1]
        and mine["final.keras"] == theirs["final.keras"]
        and (mine[last] == theirs[last])
    )


def test_another_machine_verifies_describes_and_finds_the_same_dataset(
    other: Machine, machine: Machine
) -> None:
    dataset = f"{BUCKET}/data/digits"
    assert f"{dataset}: sound" in other.run("data_prep.verify", f"--dataset={dataset}")
    assert dataset in other.run("data_prep.describe", f"--dataset={dataset}")
    again = other.run("data_prep.prepare", "--source=digits", f"--output={dataset}", "--shards=3")
    assert "nothing to do" in again
    refused = other.run(
        "data_prep.prepare", "--source=digits", f"--output={dataset}", "--shards=2", code=2
    )
    assert "holds a dataset made with other settings" in refused
    local = other.cache.parent / "local"
    other.run("data_prep.prepare", "--source=digits", f"--output={local}", "--shards=3")
    stored = objects(machine, "data/digits/")
    on_disk = {path.name: path.read_bytes() for path in local.iterdir()}
    assert stored.keys() == on_disk.keys()
    del stored["manifest.json"]
    assert all(on_disk[name] == content for name, content in stored.items())


def test_a_run_killed_on_one_machine_goes_on_on_another_to_the_same_bytes(
    machine: Machine, other: Machine
) -> None:
    machine.run("fed_pretrain.train", *TRAIN, f"--workdir={BUCKET}/runs/whole")
    killed = machine.start(
        "fed_pretrain.train", *TRAIN, f"--workdir={BUCKET}/runs/killed",
        FED_PRETRAIN_KILL_AT="before-replace:12",
    )  # fmt: skip
    killed.communicate(timeout=600)
    assert killed.returncode == -signal.SIGKILL
    left = objects(machine, "runs/killed/")
    assert "SUCCESS" not in left
    assert any(name.startswith("checkpoints/") for name in left)
    lease = ".fed_pretrain-in-use.json"
    for age in (0, 3600):
        owner = {
            **json.loads(left[lease]),
            "mark": "of-another-machine",
            "renewed": time.time() - age,
        }
        program = "s3.Object('bucket', sys.argv[1]).put(Body=sys.argv[2])"
        boto3(machine, program, f"runs/killed/{lease}", json.dumps(owner))
        if not age:
            told = other.run(
                "fed_pretrain.train", *TRAIN, f"--workdir={BUCKET}/runs/killed", code=2
            )
            assert "is in use on" in told
    other.run("fed_pretrain.train", *TRAIN, f"--workdir={BUCKET}/runs/killed")
    after = objects(machine, "runs/killed/")
    assert same_numbers(objects(machine, "runs/whole/"), after)
    assert lease not in after
    assert "finished before" in other.run(
        "fed_pretrain.train", *TRAIN, f"--workdir={BUCKET}/runs/killed"
    )
    start = f"--start=checkpoint:{BUCKET}/runs/killed/checkpoints/round-000012.ckpt"
    more = (*TRAIN[1:2], "--task=digits", "--rounds=1", start, TRAIN[-1])
    other.run("fed_pretrain.train", *more, f"--workdir={BUCKET}/runs/from")
    told = other.run(
        "fed_pretrain.analyze", f"--run={BUCKET}/runs/from", "--probes=distance",
        f"--other_run={BUCKET}/runs/whole",
    )  # fmt: skip
    assert f"{BUCKET}/runs/from/probes/round-000001" in told
    other.run("fed_pretrain.report", f"--runs={BUCKET}/runs/from", f"--output={BUCKET}/report")
    assert "index.html" in objects(machine, "report/")
    other.run(
        "fed_pretrain.export", f"--run={BUCKET}/runs/from", "--format=npz",
        f"--output={BUCKET}/model.npz",
    )  # fmt: skip
    assert objects(machine, "model.npz")[""].startswith(b"PK")


def test_a_study_in_a_store_is_done_on_another_machine(machine: Machine, other: Machine) -> None:
    plan = machine.cache.parent / "plan.yaml"
    plan.write_text(PLAN)
    study = (f"--plan={plan}", f"--workdir={BUCKET}/study")
    machine.run("pipelines.study", *study)
    there = objects(machine, "study/")
    assert sum(name.endswith("/SUCCESS") for name in there) == 2
    told = other.run("pipelines.study", *study)
    assert "nothing is left to do" in told
    assert f"report: {BUCKET}/study/" in told


def test_the_steps_of_a_study_in_a_store_are_done_by_machines_that_share_nothing_else(
    machine: Machine, other: Machine
) -> None:
    """What a scheduler does: one command a step, a step even twice at once."""
    plan = machine.cache.parent / "plan.yaml"
    plan.write_text(PLAN)
    study = (f"--plan={plan}", f"--workdir={BUCKET}/steps")
    listed = machine.run("pipelines.study", *study, "--list_steps").splitlines()
    commands = {step["id"]: step["command"][3:] for step in map(json.loads, listed)}
    trains = [name for name in commands if name.startswith("train/")]
    assert len(trains) == 2
    told = other.run("pipelines.study", *commands["report"], code=2)
    assert "is not done; run --step=" in told
    at_once = [
        one.start("pipelines.study", *commands[name])
        for one, name in ((machine, trains[0]), (other, trains[0]), (other, trains[1]))
    ]
    for process in at_once:
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, output + errors
    there = objects(machine, "steps/")
    logs = [content.decode() for name, content in there.items() if name.endswith(".log")]
    assert sum(name.endswith("/SUCCESS") for name in there) == 2
    assert len(logs) == 2
    assert not any(name.endswith("in-use.json") for name in there)
    machine.run("pipelines.study", *commands["report"])
    assert "nothing is left to do" in other.run("pipelines.study", *study)
    whole = objects(machine, "study/")
    for name, content in objects(machine, "steps/").items():
        if name.endswith("final.keras"):
            assert content == whole[name]


def test_a_store_that_is_not_there_or_has_no_bucket_is_one_sentence(other: Machine) -> None:
    for more in ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, {}):
        told = other.run(
            "data_prep.prepare", "--source=digits", "--output=s3://no-such-bucket/x", code=2, **more
        )
        assert "error: s3://no-such-bucket/x" in told
        assert "Traceback" not in told
        assert "the store refused" in told or "there is no such bucket" in told
        assert "read and sort" not in told, "before anything was made"


def test_no_file_of_all_this_holds_the_password(machine: Machine) -> None:
    """After the other tests: of datasets, runs, studies and the cache."""
    kept = objects(machine, "")
    assert "runs/killed/config.json" in kept
    here = {str(path): path.read_bytes() for path in machine.cache.rglob("*") if path.is_file()}
    assert here
    holding = [name for name, content in {**kept, **here}.items() if SECRET.encode() in content]
    assert holding == []
