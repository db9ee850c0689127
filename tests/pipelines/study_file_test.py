import json

import pytest

from pipelines.execution.execution import Execution
from pipelines.plan import plan as plans
from pipelines.plan.expansion import expand
from pipelines.study_file import StudyFile

PLAN = """\
name: toy
title: A toy
question: Does it work?
tasks: {digits: {task: digits, starts: {random: {start: random}}}}
algorithms: {fedavg: {algorithm: fedavg}}
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return plans.load(str(path))


def execution(plan, workdir):
    return Execution(expand(plan), workdir)


def passes(workdir):
    return json.loads((workdir / "study.json").read_text())["passes"]


def work(made):
    state = next(iter(made.states.values()))
    state.attempts, state.status = 1, "running"


def test_it_says_how_and_on_what_the_results_were_made(plan, tmp_path):
    StudyFile(plan).update(execution(plan, tmp_path))
    (made,) = passes(tmp_path)
    assert made["begin"] <= made["end"]
    assert made["begin"].endswith("+00:00")
    assert made["load"] >= 0
    assert made["command"]
    assert set(made) >= {"commit", "dirty", "versions", "machine"}
    assert made["machine"]["cores"] >= 1
    assert "python" in made["versions"]


def test_each_command_that_works_on_a_study_has_its_pass(plan, tmp_path):
    for _ in range(2):
        made = execution(plan, tmp_path)
        file = StudyFile(plan)
        file.update(made)
        work(made)
        file.update(made)
    assert len(passes(tmp_path)) == 2


def test_a_command_that_finds_everything_done_leaves_no_pass(plan, tmp_path):
    StudyFile(plan).update(execution(plan, tmp_path))
    before = passes(tmp_path)
    StudyFile(plan).update(execution(plan, tmp_path))
    assert passes(tmp_path) == before


def test_a_study_of_an_older_version_has_no_passes_yet(plan, tmp_path):
    (tmp_path / "study.json").write_text(json.dumps({"plan": {}, "steps": []}))
    StudyFile(plan).update(execution(plan, tmp_path))
    assert len(passes(tmp_path)) == 1


def test_nothing_is_written_while_no_step_changes(plan, tmp_path):
    made = execution(plan, tmp_path)
    file = StudyFile(plan)
    file.update(made)
    (tmp_path / "study.json").unlink()
    file.update(made)
    assert not (tmp_path / "study.json").exists()
