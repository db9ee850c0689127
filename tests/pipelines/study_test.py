"""A whole small study on real digits: finished, repeated, killed and continued."""

import json
import os
import pathlib
import re
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
    return execute(command(tmp_path, workdir, *flags))


def execute(arguments):
    return subprocess.run(
        arguments,
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


def results_of(done):
    """The report's tables, but for the one with seconds and memory, which no two runs share."""
    tables = (report_of(done).parent / "tables").glob("*.csv")
    return {one.name: one.read_bytes() for one in tables if one.stem != "runs"}


def test_a_dry_run_shows_the_steps_and_runs_nothing(tmp_path):
    done = run(tmp_path, tmp_path / "study", "--dry_run")
    assert done.returncode == 0
    assert "8 train, 1 report" in done.stdout
    assert not (tmp_path / "study").exists()


def test_an_unknown_flag_in_a_plan_is_refused_with_the_nearest_one(tmp_path):
    done = run(tmp_path, tmp_path / "study", "--set", "settings.rouns=3")
    assert done.returncode == 2
    assert "no flag is named 'rouns' (did you mean 'rounds'?)" in done.stdout


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    done = run(tmp_path, tmp_path / "file" / "study")
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1].startswith(f"error: --workdir={tmp_path}/file/study: ")
    assert "Traceback" not in done.stdout


def test_a_step_that_failed_says_why_at_the_end(tmp_path):
    nowhere = "tasks.digits.starts.noisy={start: 'checkpoint:nowhere.pth'}"
    steps = [f"--step=train/digits/noisy/fedavg/{seed}" for seed in (0, 1)]
    done = run(tmp_path, tmp_path / "study", f"--set={nowhere}", *steps)
    assert done.returncode == 1
    said = re.findall(r"^failed: (.*?): (.*nowhere.pth.*)$", done.stdout, re.M)
    assert [place for place, _ in said] == ["2 steps from train/digits/noisy/fedavg/0 on"]
    assert "failed   train/digits/noisy/fedavg/1" in done.stdout
    assert "for the same reason" in done.stdout


def test_the_steps_are_listed_as_commands_inputs_first(tmp_path):
    done = run(tmp_path, tmp_path / "study", "--list_steps", "--set=seeds=[3]")
    assert done.returncode == 0, done.stdout
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    seen = set()
    for step in steps:
        assert set(step["needs"]) <= seen
        seen.add(step["id"])
        assert step["command"][-2:] == ["--set=seeds=[3]", f"--step={step['id']}"]
    assert [step["kind"] for step in steps] == ["train"] * 4 + ["report"]
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("report", "--step=report: its input train/digits/noisy/fedadam/0 is not done; run --step"),
        ("trian/digits/noisy/fedavg/0", "no such step (did you mean 'train/digits/noisy/fedavg/0'"),
    ],
)
def test_a_step_that_cannot_run_is_refused_in_a_sentence(tmp_path, step, said):
    done = run(tmp_path, tmp_path / "study", f"--step={step}")
    assert done.returncode == 2
    assert said in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.slow
def test_steps_run_one_by_one_make_the_report_of_the_whole_study(tmp_path):
    """By the loop that docs/schedulers.md shows."""
    small = ["--set=seeds=[0]", "--set=algorithms={fedavg: {algorithm: fedavg}}"]
    [loop] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/schedulers.md").read_text(), re.S)
    study = command(tmp_path, tmp_path / "parts", *small)
    loop, replaced = re.subn(r"study = .*", lambda _: f"study = {study!r}", loop)
    assert replaced == 1
    parts = execute([sys.executable, "-c", loop])
    assert parts.returncode == 0, parts.stdout
    assert parts.stdout.count("done     ") == 3
    after = run(tmp_path, tmp_path / "parts", *small)
    assert "3 of the 3 are done already" in after.stdout
    assert "done     " not in after.stdout
    whole = run(tmp_path, tmp_path / "whole", *small)
    assert results_of(after) == results_of(whole) != {}


@pytest.mark.slow
def test_the_same_step_twice_at_once_is_done_once(tmp_path):
    step = ["--set=seeds=[0]", "--step=train/digits/random/fedavg/0"]
    with open(tmp_path / "log", "w") as log:
        both = [
            subprocess.Popen(
                command(tmp_path, tmp_path / "study", *step),
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
            for _ in range(2)
        ]
        assert [process.wait(timeout=900) for process in both] == [0, 0]
    assert (tmp_path / "log").read_text().count("done     train") == 1


@pytest.mark.slow
def test_a_step_that_fails_ends_with_an_error_and_can_be_mended(tmp_path):
    step = "--step=train/digits/noisy/fedavg/0"
    nowhere = "--set=tasks.digits.starts.noisy={start: 'checkpoint:nowhere.pth'}"
    failed = run(tmp_path, tmp_path / "study", step, nowhere)
    assert failed.returncode == 1
    assert "failed   train/digits/noisy/fedavg/0" in failed.stdout
    assert "nowhere.pth" in failed.stdout
    assert run(tmp_path, tmp_path / "study", step).returncode == 0
    assert not (tmp_path / "study" / "study.json").exists()  # the report's, and the whole study's


def child_of(process):
    """The study's one worker."""
    [child] = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


@pytest.mark.slow
def test_a_training_whose_process_alone_is_signalled_is_finished_all_the_same(tmp_path):
    small = ["--set=seeds=[0]", "--set=algorithms={fedavg: {algorithm: fedavg}}"]
    longer = ["--set=settings.rounds=60", "--parallel=1"]
    with open(tmp_path / "log", "w") as log:
        study = subprocess.Popen(
            command(tmp_path, tmp_path / "study", *small, *longer),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
        steps = tmp_path / "study" / "steps"
        deadline = time.monotonic() + 600
        while not any(steps.rglob("metrics.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(child_of(study), signal.SIGTERM)
        assert study.wait(timeout=900) == 0, (tmp_path / "log").read_text()
    done = [path.parent for path in (steps / "train").rglob("step.json")]
    assert len(done) == 2
    for folder in done:
        assert (folder / "SUCCESS").exists()
        assert len((folder / "metrics.jsonl").read_text().splitlines()) == 1 + 60


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
    assert results_of(continued) == results_of(whole) != {}
    again = run(tmp_path, tmp_path / "whole")
    assert "done     train" not in again.stdout
    assert report_of(again) == report_of(whole)
