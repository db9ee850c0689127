"""Which seeds a study is given next, on runs that are only files."""

import json

import numpy as np
import pytest

from groundwork.errors import UserError
from pipelines import study_run
from pipelines.deciding import Deciding
from pipelines.execution.execution import Execution
from pipelines.plan import plan as plans
from pipelines.plan import steps
from pipelines.plan.expansion import expand
from pipelines.schedulers import step_commands

PLAN = """\
name: toy
title: A toy
question: Which?
tasks:
  clear: {task: digits, starts: {random: {start: random}, warm: {start: "package:x"}}}
  close: {task: digits, starts: {random: {start: random}, warm: {start: "package:x"}}}
algorithms: {fedavg: {algorithm: fedavg}}
seeds: {until: decided, at_most: 12}
claims: [accuracy]
"""
# Accuracy gained by the pre-trained start; what is close needs more than five seeds.
NOISE = np.random.default_rng(1).normal(size=20)
NOISE[:5] = (NOISE[:5] - NOISE[:5].mean()) / NOISE[:5].std(ddof=1)
GAINS = {"clear": 0.3 + 0.01 * NOISE, "close": 0.03 + 0.03 * NOISE}


@pytest.fixture
def deciding(tmp_path):
    return decided_of(tmp_path, PLAN)


def decided_of(tmp_path, text, overrides=()):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    plan = plans.load(str(path), overrides)
    return Deciding(plan, expand(plan), parallel=2)


def execution_of(deciding, workdir):
    return Execution(deciding.first_steps, workdir, grow=deciding.next_steps)


def finish(execution, seconds=1.0, gains=GAINS):
    """Every step that is known comes to its end; returns how many seeds each task has."""
    seeds = {}
    for state in execution.states.values():
        place = state.step.coordinates
        if state.step.kind != "train":
            continue
        seeds.setdefault(place["task"], set()).add(place["seed"])
        if state.over:
            continue
        key = execution._key(state)
        folder = execution.folder(state, key)
        folder.mkdir(parents=True)
        final = 0.5 + place["seed"] / 1000
        final += gains[place["task"]][place["seed"]] * (place["start"] == "warm")
        rows = [{"round": 0, "eval_accuracy": 0.1}, {"round": 1, "eval_accuracy": final}]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        (folder / "config.json").write_text("{}")
        (folder / "SUCCESS").write_text("{}")
        steps.write_record(folder, state.step, key, seconds, seconds)
        state.status, state.output = "done", folder
        state.seconds = state.quiet_seconds = seconds
    return {task: len(found) for task, found in seeds.items()}


def test_the_first_look_is_all_there_is_until_it_has_been_taken(deciding, tmp_path):
    execution = execution_of(deciding, tmp_path / "study")
    execution.catch_up()
    assert finish(execution) == {"clear": 5, "close": 5}


def test_seeds_are_added_where_a_claim_is_open_and_nowhere_else(deciding, tmp_path):
    told = []
    deciding.tell = told.append
    execution = execution_of(deciding, tmp_path / "study")
    finish(execution)
    execution.catch_up()
    assert finish(execution) == {"clear": 5, "close": 8}
    assert deciding.standing == "1 of 2 claims decided"
    assert told == [
        "1 of 2 claims decided; open: Higher final accuracy (close);"
        " going on to 8 seeds for what seeds would settle"
    ]
    report = execution.states["report"].step
    assert len(report.needs) == 2 * 5 + 2 * 8


def test_a_study_ends_when_its_claims_are_decided(deciding, tmp_path):
    execution = execution_of(deciding, tmp_path / "study")
    both = dict.fromkeys(GAINS, GAINS["clear"])
    finish(execution, gains=both)
    execution.catch_up()
    assert finish(execution) == {"clear": 5, "close": 5}
    assert execution.grow is None
    assert (deciding.standing, deciding.ended_by) == ("2 of 2 claims decided", "")


def test_a_study_ends_at_its_last_look(deciding, tmp_path):
    execution = execution_of(deciding, tmp_path / "study")
    hard = {**GAINS, "close": 0.02 + 0.025 * np.tile([1.0, -1.0, 0.9, -0.9], 5)}
    for _ in range(6):
        most = finish(execution, gains=hard)["close"]
        execution.catch_up()
    assert most <= 12
    assert execution.grow is None


def test_what_more_seeds_would_not_settle_is_given_none(deciding, tmp_path):
    execution = execution_of(deciding, tmp_path / "study")
    noise = {**GAINS, "close": 0.0005 + 0.1 * NOISE}
    finish(execution, gains=noise)
    execution.catch_up()
    assert finish(execution) == {"clear": 5, "close": 5}
    assert deciding.standing == "1 of 2 claims decided"


def test_a_study_that_is_continued_comes_to_the_same_seeds(deciding, tmp_path):
    first = execution_of(deciding, tmp_path / "study")
    for _ in range(4):
        finish(first)
        first.catch_up()
    again = decided_of(tmp_path, PLAN)
    second = execution_of(again, tmp_path / "study")
    second.catch_up()
    assert list(second.states) == list(first.states)
    assert again.taken == deciding.taken


def test_no_seeds_are_begun_that_would_go_beyond_the_minutes_of_the_plan(tmp_path):
    deciding = decided_of(tmp_path, PLAN, ["budget={minutes: 4}"])
    execution = execution_of(deciding, tmp_path / "study")
    # 20 runs of 20 seconds, two at once, are 200 seconds; six more are 60.
    finish(execution, seconds=20.0)
    execution.catch_up()
    assert finish(execution) == {"clear": 5, "close": 5}
    assert "the plan's budget is 4 (--set budget.minutes=5)" in deciding.ended_by


def test_a_seed_nobody_asks_for_is_no_step_of_the_study_yet(deciding, tmp_path):
    name = "train/close/random/fedavg/7"
    execution = Execution(deciding.first_steps, tmp_path, only=[name])
    with pytest.raises(UserError, match="no claim asks for its seed so far"):
        step_commands.check_chosen(execution, [step.step_id for step in deciding.steps])


def test_another_scheduler_is_told_what_is_known_so_far(tmp_path, monkeypatch, capsys):
    for module in (study_run.flag_check, study_run.fit_check):
        monkeypatch.setattr(module, "check", lambda *unused: None)
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    config = study_run.StudyConfig(str(path), str(tmp_path / "study"))
    listed = []
    for _ in range(4):
        lines = list(study_run.list_steps(config).lines(["study"]))
        trains = [json.loads(line)["id"] for line in lines if '"kind": "train"' in line]
        listed.append((len(trains), "more may follow" in capsys.readouterr().err))
        _, execution = study_run._begun(config)
        finish(execution)
    assert listed[0] == (20, True)
    assert listed[1][0] == 26
    assert listed[-1] == (listed[-2][0], False)
