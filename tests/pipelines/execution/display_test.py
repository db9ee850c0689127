"""What a running study shows fits a line and tells what is done, left and at work."""

import io
import json

import pytest

from pipelines.execution.display import Display, TimeLeft, last_round, shortened
from pipelines.execution.execution import Execution
from pipelines.plan.steps import Step

LONG = "train/tiny_imagenet/natural_shuffled/imagenet_frozen_statistics/FedAvgM-Proximal/0.25/2"


def execution(tmp_path, *names):
    steps = [Step(name, "train", "m", {"rounds": 200}, "w", affinity="t") for name in names]
    return Execution(steps, tmp_path)


def display(stream=None, clock=lambda: 0.0):
    return Display("a_study", TimeLeft(last_round, clock=clock), stream=stream, clock=clock)


def at_work(state, folder, last):
    folder.mkdir(exist_ok=True)
    rows = [json.dumps({"round": n, "eval_accuracy": 0.5}) + "\n" for n in range(last + 1)]
    (folder / "metrics.jsonl").write_text("".join(rows))
    state.status, state.output, state.attempts = "running", folder, 1


def test_the_line_tells_steps_rounds_and_about_how_long(tmp_path):
    now = [0.0]
    shown = display(clock=lambda: now[0])
    states = list(execution(tmp_path, "train/a", "train/b").states.values())
    states[0].status, states[0].attempts = "running", 1
    shown.line(states)
    for now[0], last in ((10.0, 0), (110.0, 100)):
        at_work(states[0], tmp_path / "a", last)
        line = shown.line(states)
    assert line == "a_study  0/2 steps  1m 50s elapsed  about 5m 00s left  train/a round 100/200"


@pytest.mark.parametrize("running", [1, 2, 7])
def test_the_line_fits_a_hundred_columns_however_long_the_names(tmp_path, running):
    names = [f"{LONG}{number}" for number in range(200)]
    states = list(execution(tmp_path, *names).states.values())
    for number, state in enumerate(states[:running]):
        at_work(state, tmp_path / str(number), 123)
    line = display().line(states)
    assert len(line) <= 100
    assert "round 123/200" in line
    shown = line.count("round")
    assert shown == running or line.endswith(f" and {running - shown} more")


@pytest.mark.parametrize("room", [200, 60, 40, 25, 10])
def test_a_long_name_keeps_its_kind_and_its_end(room):
    short = shortened(LONG, room)
    assert len(short) <= room or short == LONG
    assert short.endswith("/2")
    assert short.startswith("train/") or room < 20


def test_what_was_done_before_is_not_told_again_step_by_step(tmp_path):
    stream = io.StringIO()
    run = execution(tmp_path, "train/a", "train/b")
    run.states["train/a"].status = "skipped"
    shown = display(stream)
    shown.show(run)
    run.states["train/b"].status, run.states["train/b"].seconds = "done", 5.0
    shown.show(run)
    shown.close()
    lines = stream.getvalue().splitlines()
    assert not [line for line in lines if line.startswith("skipped")]
    assert [line for line in lines if line.startswith("done     train/b  5s")]


def test_a_step_tried_again_and_a_failed_one_are_told_with_the_reason(tmp_path):
    stream = io.StringIO()
    run = execution(tmp_path, "train/a")
    state = run.states["train/a"]
    shown = display(stream)
    for status in ("running", "waiting", "running", "failed"):
        state.status, state.message = status, "it broke"
        shown.show(run)
    lines = stream.getvalue().splitlines()
    assert "again    train/a: it broke" in lines
    assert "failed   train/a  0s  it broke" in lines


def test_steps_that_fail_with_the_same_words_say_them_once(tmp_path):
    stream = io.StringIO()
    study = execution(tmp_path, "train/a", "train/b")
    shown = display(stream)
    shown.show(study)
    for state in study.states.values():
        state.status, state.message = "failed", "there is no such file"
    shown.show(study)
    assert "failed   train/a  0s  there is no such file" in stream.getvalue()
    assert "failed   train/b  0s  for the same reason" in stream.getvalue()


def test_steps_that_wait_for_what_failed_are_told_in_one_line(tmp_path):
    stream = io.StringIO()
    study = execution(tmp_path, "prepare/a", "train/b", "train/c")
    shown = display(stream)
    shown.show(study)
    failed, *blocked = study.states.values()
    failed.status, failed.message = "failed", "--input is missing"
    for state in blocked:
        state.status = "blocked"
    shown.show(study)
    told = stream.getvalue()
    assert "failed   prepare/a  0s  --input is missing" in told
    assert "blocked  2 steps whose inputs failed" in told
    assert "train/c" not in told


@pytest.mark.parametrize("torn", ["", '{"round": 7, "detail'])
@pytest.mark.parametrize("width", [0, 100, (1 << 14) - 1, 1 << 14, 1 << 17])
def test_the_last_round_is_that_of_the_last_whole_row(tmp_path, width, torn):
    [state] = execution(tmp_path, "train/a").states.values()
    state.output = tmp_path
    rows = [json.dumps({"round": n, "detail": "x" * width}) + "\n" for n in range(5)]
    for count in (0, 1, 5):
        (tmp_path / "metrics.jsonl").write_text("".join(rows[:count]) + torn)
        assert last_round(state) == (count - 1 if count else None)
