"""A whole small study on real digits: finished, repeated, killed and continued."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAN = """\
name: toy
title: A small study
question: Does noise on the start matter?
settings: {rounds: 2, clients_per_round: 3, max_examples: 30, evaluate_every: 1, tensorboard: false}
tasks:
  digits:
    task: digits
    starts:
      random: {start: random}
      noisy: {start: random, start_noise: 0.5}
algorithms:
  fedavg: {algorithm: fedavg}
  fedadam: {algorithm: fedadam}
seeds: [0, 1]
"""


def command(tmp_path, workdir, *flags):
    plan = tmp_path / "toy.yaml"
    plan.write_text(PLAN)
    binary = [sys.executable, "-m", "pipelines.study"]
    return [*binary, f"--plan={plan}", f"--workdir={workdir}", *flags]


def run(tmp_path, workdir, *flags):
    return subprocess.run(
        command(tmp_path, workdir, *flags),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )


def report_of(done):
    line = next(line for line in done.stdout.splitlines() if line.startswith("report: "))
    return pathlib.Path(line.removeprefix("report: "))


def test_a_dry_run_shows_the_steps_and_runs_nothing(tmp_path):
    done = run(tmp_path, tmp_path / "study", "--dry_run")
    assert done.returncode == 0
    assert "8 train, 1 report" in done.stdout
    assert not (tmp_path / "study").exists()


def test_an_unknown_flag_in_a_plan_is_refused_with_the_nearest_one(tmp_path):
    done = run(tmp_path, tmp_path / "study", "--set", "settings.rouns=3")
    assert done.returncode == 2
    assert "no flag is named 'rouns' (did you mean 'rounds'?)" in done.stdout


@pytest.mark.slow
def test_a_study_killed_and_continued_makes_the_same_report(tmp_path):
    whole = run(tmp_path, tmp_path / "whole")
    assert whole.returncode == 0, whole.stdout
    with open(tmp_path / "killed.log", "w") as log:
        victim = subprocess.Popen(
            command(tmp_path, tmp_path / "killed"),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
        records = tmp_path / "killed" / "steps"
        deadline = time.monotonic() + 600
        while len(list(records.rglob("step.json"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    continued = run(tmp_path, tmp_path / "killed")
    assert continued.returncode == 0, continued.stdout
    assert continued.stdout.count("done ") < whole.stdout.count("done ")
    assert report_of(continued).read_bytes() == report_of(whole).read_bytes()
    again = run(tmp_path, tmp_path / "whole")
    assert "done     train" not in again.stdout
    assert report_of(again) == report_of(whole)
