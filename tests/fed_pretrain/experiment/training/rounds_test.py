"""A run ends when it should, goes on where it was, and keeps its promises."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from fed_pretrain.experiment.training import dry_run
from fed_pretrain.experiment.training.result import RunResult, summary
from fed_pretrain.experiment.training.run import train
from fed_pretrain.experiment.workdir.checkpoints import CheckpointFolder
from fed_pretrain.experiment.workdir.metrics import read_rows
from fed_pretrain.tracking.follower import Follower
from groundwork import array_file
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import rounds_of, same_weights, small

ROOT = pathlib.Path(__file__).resolve().parents[4]


def test_a_finished_run_is_not_run_again(digits_run):
    before = {path: path.stat().st_mtime_ns for path in digits_run.rglob("*") if path.is_file()}
    result = train(small(digits_run))
    assert result.reason == "finished before"
    changed = [path.name for path, then in before.items() if path.stat().st_mtime_ns != then]
    assert set(changed) <= {"lock"}


def test_rounds_may_grow_and_end_with_the_bytes_of_the_longer_run(tmp_path):
    train(small(tmp_path / "grown"))
    grown = train(small(tmp_path / "grown", work={"rounds": 4}))
    train(small(tmp_path / "whole", work={"rounds": 4}))
    assert rounds_of(grown) == [0, 1, 2, 3, 4]
    assert same_weights(tmp_path / "whole", tmp_path / "grown", 4)


def test_rounds_may_not_grow_under_a_schedule_that_spans_the_run(tmp_path):
    cosine = (("client_schedule", "cosine"),)
    train(small(tmp_path / "run", algorithm_settings=cosine, work={"rounds": 1}))
    with pytest.raises(UserError, match="rounds"):
        train(small(tmp_path / "run", algorithm_settings=cosine))


def test_the_target_accuracy_ends_a_run_with_success_and_what_it_took(tmp_path):
    result = train(small(tmp_path / "run", limits={"target_accuracy": 0.01}))
    assert result.finished
    assert "target accuracy" in result.reason
    assert rounds_of(result) == [0]
    success = json.loads((tmp_path / "run" / "SUCCESS").read_text())
    assert success["rounds_to_target"] == 0
    assert success["bytes_to_target"] == 0
    assert "target accuracy 0.01 reached after round 0" in summary(result)
    on = train(small(tmp_path / "run", limits={"target_accuracy": 1.0}))
    assert rounds_of(on) == [0, 1, 2]


def test_a_dry_run_tells_data_start_and_cost_and_writes_nothing(tmp_path):
    told = dry_run.describe(small(tmp_path / "run"))
    for part in ("edge_cnn", "14 clients", "2 rounds of 3 clients", "training takes about"):
        assert part in told
    assert "convolution             float32    CPU:0" in told
    assert "to bring the algorithm to its map-reduce form" in told
    assert not (tmp_path / "run").exists()


def test_a_frozen_body_stays_to_the_bit_and_is_sent_once(digits_run, tmp_path):
    head = train(
        small(
            tmp_path / "head",
            start={"trainable": "head"},
            algorithm_name="fedadam",
            work={"rounds": 3},
        )
    )
    first, last = (
        array_file.load(tmp_path / "head" / "checkpoints" / f"round-{r:06d}.ckpt").arrays
        for r in (0, 3)
    )
    frozen = [name for name in first if name.startswith("model/non_trainable/")]
    trained = [name for name in first if name.startswith("model/trainable/")]
    assert len(frozen) >= 2
    assert all(first[name].tobytes() == last[name].tobytes() for name in frozen)
    assert any(first[name].tobytes() != last[name].tobytes() for name in trained)
    whole = read_rows(digits_run / "metrics.jsonl")
    assert head.rows[1]["bytes_up"] < whole[1]["bytes_up"]
    assert head.rows[3]["bytes_down"] < whole[2]["bytes_down"]


def wait_for_a_row(process, path):
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and path.read_text().count("\n") >= 3:
            return
        time.sleep(0.2)
    raise AssertionError("the run has written no row")


def test_a_second_run_is_refused_and_sigterm_ends_the_first_at_a_round_to_go_on_from(tmp_path):
    workdir = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "fed_pretrain.train", "--task=digits", "--algorithm=fedavg"),
        *("--rounds=5000", "--clients_per_round=3", "--max_examples=40", "--evaluate_every=1"),
        *("--checkpoint_every=1", "--notensorboard", f"--workdir={workdir}"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        wait_for_a_row(process, workdir / "metrics.jsonl")
        with pytest.raises(UserError, match=f"in use by process {process.pid}"):
            train(small(workdir))
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=900)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert "continue with the same command" in told.decode()
    rounds = read_rows(workdir / "metrics.jsonl")[-1]["round"] + 1
    assert not (workdir / "SUCCESS").exists()
    continued = train(small(workdir, work={"rounds": rounds}))
    assert rounds_of(continued) == list(range(rounds + 1))
    train(small(tmp_path / "whole", work={"rounds": rounds}))
    assert same_weights(tmp_path / "whole", workdir, rounds)


def test_the_summary_of_a_model_without_a_finite_loss_says_so(tmp_path):
    rows = [
        {"round": 0, "eval_accuracy": 0.1, "eval_loss": 2.3},
        {"round": 1, "eval_accuracy": 0.1, "eval_loss": None},
    ]
    told = summary(RunResult(tmp_path, rows, "all 1 rounds done"))
    assert "2.3000 before training, undefined at the end" in told


@pytest.mark.slow
def test_a_thousand_rounds_leave_memory_flat(tmp_path):
    result = train(
        small(
            tmp_path / "run",
            work={"rounds": 1000, "clients_per_round": 2, "max_examples": 10},
            evaluation={"evaluate_every": 50},
            saving={"checkpoint_every": 10},
        )
    )
    memory = [row["memory_mb"] for row in result.rows if row["round"] in (300, 1000)]
    assert memory[1] - memory[0] < 30


def test_clients_get_their_own_controls_back(tmp_path):
    # SCAFFOLD's server control is the mean of the clients' only if each begins with its own.
    config = small(
        tmp_path / "run",
        algorithm_name="scaffold",
        algorithm_settings=(("weighting", "uniform"),),
        work={"rounds": 3, "clients_per_round": 8, "max_examples": 8},
        evaluation={"evaluate_every": 3},
    )
    train(config)
    arrays = CheckpointFolder(tmp_path / "run" / "checkpoints").load(3).arrays
    population = 14
    for tensor in range(6):
        server = arrays[f"state/client_work/rule/control/{tensor}"]
        controls = [a for name, a in arrays.items() if re.fullmatch(f"clients/.*/{tensor}", name)]
        assert 8 < len(controls) <= population
        np.testing.assert_allclose(server, sum(controls) / population, atol=1e-5)


class Stops(Follower):
    def row(self, row):
        if row["round"] == 1:
            signal.raise_signal(signal.SIGTERM)


def test_a_run_that_was_stopped_between_checkpoints_ends_as_one_that_never_was(tmp_path):
    def run(name, *followers):
        train(small(tmp_path / name, saving={"checkpoint_every": 10}), followers=followers)
        return CheckpointFolder(tmp_path / name / "checkpoints").rounds()

    assert run("whole") == [0, 2]
    assert run("stopped", Stops()) == [0, 1]
    assert run("stopped") == [0, 2]
    best = [(tmp_path / name / "best.keras").read_bytes() for name in ("whole", "stopped")]
    assert best[0] == best[1]
