import fcntl
import io
import json
import os
import pathlib
import signal
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from groundwork.errors import UserError
from groundwork.locks import StepLock
from pipelines.execution.execution import Execution, _Worker, forget_stale_outputs
from pipelines.plan.steps import Input, Step, kinship, write_record


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    path = tmp_path / "ledger"
    path.touch()
    monkeypatch.setenv("TOY_LEDGER", str(path))
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(__file__).resolve().parents[3]))
    return path


def toy(name, value=None, reads=None, fail="", affinity="toy"):
    flags = {"toy_value": value or name, "toy_fail": fail}
    if reads:
        flags["toy_read"] = Input(reads)
    return Step(name, "train", "tests.pipelines.toy_step", flags, "toy_output", affinity=affinity)


def run(tmp_path, *steps, **options):
    execution = Execution(steps, tmp_path / "study", **options)
    execution.run()
    return {name: state.status for name, state in execution.states.items()}, execution


def lines(ledger):
    return [line.split()[0] for line in ledger.read_text().splitlines()]


def test_a_step_reads_the_output_of_the_step_it_needs(tmp_path, ledger):
    statuses, execution = run(tmp_path, toy("a"), toy("b", reads="a"))
    assert statuses == {"a": "done", "b": "done"}
    value = json.loads((execution.states["b"].output / "value.json").read_text())
    assert value == ["b", "a"]


def test_a_step_knows_itself_as_the_plain_command_it_is(tmp_path, ledger):
    _, execution = run(tmp_path, toy("a"))
    output = execution.states["a"].output
    told = (output / "command.txt").read_text()
    assert told.startswith("python -m tests.pipelines.toy_step --toy_value=a ")
    assert f"--toy_output={output}" in told


def test_what_is_done_is_skipped_and_what_changed_is_done_again(tmp_path, ledger):
    run(tmp_path, toy("a"), toy("b", reads="a"), toy("c"))
    statuses, _ = run(tmp_path, toy("a", value="A"), toy("b", reads="a"), toy("c"))
    assert statuses == {"a": "done", "b": "done", "c": "skipped"}
    assert sorted(lines(ledger)) == ["A", "a", "b", "b", "c"]


def test_an_input_made_again_with_the_same_content_redoes_nothing_after_it(tmp_path, ledger):
    _, before = run(tmp_path, toy("a"), toy("b", reads="a"))
    (before.states["a"].output / "step.json").unlink()
    statuses, _ = run(tmp_path, toy("a"), toy("b", reads="a"))
    assert statuses == {"a": "done", "b": "skipped"}


def test_a_users_mistake_fails_once_and_blocks_only_its_readers(tmp_path, ledger):
    steps = [toy("a", fail="user"), toy("b", reads="a"), toy("c")]
    statuses, execution = run(tmp_path, *steps)
    assert statuses == {"a": "failed", "b": "blocked", "c": "done"}
    assert execution.states["a"].message == "--toy_value: not to be had"
    assert execution.states["a"].attempts == 1


def test_an_error_is_tried_again_and_then_given_up(tmp_path, ledger):
    statuses, execution = run(tmp_path, toy("a", fail="error"), retries=2)
    assert statuses == {"a": "failed"}
    assert execution.states["a"].attempts == 3
    assert "RuntimeError: broken" in execution.states["a"].message


def test_a_killed_worker_is_replaced_and_the_step_done(tmp_path, ledger):
    statuses, execution = run(tmp_path, toy("a", fail="kill_once"), toy("b"))
    assert statuses == {"a": "done", "b": "done"}
    assert execution.states["a"].attempts == 2


def test_a_training_that_was_stopped_before_its_end_is_not_done(tmp_path, ledger):
    statuses, execution = run(tmp_path, toy("a", fail="stop_once"), retries=0)
    assert statuses == {"a": "failed"}
    assert execution.states["a"].message.startswith("it was stopped before its end")
    assert not (execution.states["a"].output / "step.json").exists()
    statuses, _ = run(tmp_path, toy("a", fail="stop_once"), retries=0)
    assert statuses == {"a": "done"}


def test_a_training_that_was_stopped_goes_on_while_the_study_does(tmp_path, ledger):
    statuses, execution = run(tmp_path, toy("a", fail="stop_once"), toy("b"))
    assert statuses == {"a": "done", "b": "done"}
    assert execution.states["a"].attempts == 2


def test_a_preparation_that_left_no_dataset_fails_alone(tmp_path, ledger):
    steps = [replace(toy("a"), kind="prepare"), toy("b", reads="a"), toy("c")]
    statuses, execution = run(tmp_path, *steps, retries=0)
    assert statuses == {"a": "failed", "b": "blocked", "c": "done"}
    assert (
        "make one with `python -m data_prep.prepare --source=digits --output="
        in execution.states["a"].message
    )


def test_a_worker_killed_while_idle_is_replaced(tmp_path, ledger):
    killed = []

    def kill_the_idle(execution):
        if execution.states["a"].status == "done" and not killed:
            [worker] = execution._workers
            # Said by half, so that closing the pipe to the dead worker fails too.
            worker.process.stdin.write("{")
            os.kill(worker.process.pid, signal.SIGKILL)
            os.waitid(os.P_PID, worker.process.pid, os.WEXITED | os.WNOWAIT)
            killed.append(worker)

    steps = [toy("a"), toy("b", reads="a")]
    statuses, execution = run(tmp_path, *steps, retries=0, on_change=[kill_the_idle])
    assert killed
    assert statuses == {"a": "done", "b": "done"}
    assert execution.states["b"].attempts == 1


def test_a_worker_killed_as_it_is_spoken_to_costs_an_attempt_only(tmp_path, ledger, monkeypatch):
    execution = Execution([toy("a")], tmp_path / "study")
    new_worker = execution._new_worker

    def first_is_killed():
        worker = new_worker()
        if not execution.states["a"].attempts:
            monkeypatch.setattr(worker.process, "poll", lambda: None)
            os.kill(worker.process.pid, signal.SIGKILL)
            os.waitid(os.P_PID, worker.process.pid, os.WEXITED | os.WNOWAIT)
        return worker

    execution._new_worker = first_is_killed
    assert execution.run()
    assert execution.states["a"].attempts == 2


def test_a_stopped_study_asks_all_its_steps_to_leave_before_it_waits_for_one(tmp_path, ledger):
    def stop_when_both_are_at_work(execution):
        if lines(ledger).count("ready") == 2:
            execution.stop()

    steps = [toy(name, fail="linger") for name in "ab"]
    statuses, _ = run(tmp_path, *steps, parallel=2, on_change=[stop_when_both_are_at_work])
    assert statuses == {"a": "waiting", "b": "waiting"}
    assert lines(ledger)[-2:] == ["together", "together"]


def test_kin_share_one_process_and_parallel_strangers_do_not(tmp_path, ledger):
    steps = [toy(f"{kin}{n}", affinity=f"toy/{kin}") for n in range(3) for kin in "xy"]
    statuses, _ = run(tmp_path, *steps, parallel=2)
    assert set(statuses.values()) == {"done"}
    pids = {}
    for line in ledger.read_text().splitlines():
        name, pid = line.split()
        pids.setdefault(name[0], set()).add(pid)
    assert len(pids["x"] | pids["y"]) == 2


def test_a_worker_takes_what_it_has_compiled_then_what_no_other_has(tmp_path):
    steps = [toy(f"{structure}1", affinity=f"toy/task/{structure}") for structure in "bca"]
    execution = Execution(steps, tmp_path)
    one, _ = execution._workers = [
        _Worker(None, None, f"toy/task/{structure}", set(kinship(f"toy/task/{structure}")))
        for structure in "ab"
    ]
    preferred = [state.step.step_id for state in execution._preferred(one)]
    assert preferred == ["a1", "c1", "b1"]


def test_time_that_others_take_of_the_processor_is_none_of_a_step(tmp_path):
    execution = Execution([toy("a")], tmp_path)
    state = execution.states["a"]
    state.started, state.output = time.monotonic() - 100, tmp_path / "a"
    answer = {"code": 2, "message": "", "memory_mb": 0, "processor_seconds": 7.0}
    execution._locks["a"] = SimpleNamespace(release=lambda: None)
    execution._receive(_Worker(None, io.StringIO(json.dumps(answer)), state=state))
    assert (round(state.seconds), state.quiet_seconds) == (100, 7.0)


def test_outputs_of_former_settings_are_removed_on_request(tmp_path, ledger):
    _, before = run(tmp_path, toy("a"))
    _, after = run(tmp_path, toy("a", value="A"))
    assert forget_stale_outputs(after) == 1
    assert not before.states["a"].output.exists()
    assert after.states["a"].output.exists()


def test_before_every_step_is_done_no_output_is_stale(tmp_path, ledger):
    _, before = run(tmp_path, toy("a"), toy("b", reads="a"))
    _, after = run(tmp_path, toy("a", value="A", fail="user"), toy("b", reads="a"))
    with pytest.raises(UserError, match="--forget_stale removed nothing"):
        forget_stale_outputs(after)
    assert all(state.output.exists() for state in before.states.values())


def test_steps_run_one_by_one_leave_nothing_for_the_whole(tmp_path, ledger):
    steps = [toy("a"), toy("b", reads="a"), toy("c", reads="b")]
    for step in steps:
        statuses, _ = run(tmp_path, *steps, only=[step.step_id])
        assert statuses[step.step_id] == "done"
    assert lines(ledger) == ["a", "b", "c"]
    statuses, _ = run(tmp_path, *steps)
    assert set(statuses.values()) == {"skipped"}


def test_a_step_run_twice_is_done_once(tmp_path, ledger):
    run(tmp_path, toy("a"), toy("b"), only=["a"])
    statuses, _ = run(tmp_path, toy("a"), toy("b"), only=["a"])
    assert statuses == {"a": "skipped", "b": "waiting"}
    assert lines(ledger) == ["a"]


class Neighbour:
    """Another process at step a: it holds the lock, and ends once the study has waited for it."""

    def __init__(self, tmp_path, step, *, finishes):
        self.waited, self._step, self._finishes = False, step, finishes
        probe = Execution([step], tmp_path / "study")
        self._key = probe._key(probe.states["a"])
        self._output = probe.folder(probe.states["a"], self._key)
        self._lock = StepLock(self._output)
        assert self._lock.acquire()

    def look(self, execution):
        if execution.states["a"].status == "elsewhere" and not self.waited:
            self.waited = True
            if self._finishes:
                self._output.mkdir(parents=True)
                for name in ("value.json", "SUCCESS"):
                    (self._output / name).write_text('["theirs"]')
                write_record(self._output, self._step, self._key, 1.0, 1.0)
            self._lock.release()


def test_a_step_that_another_process_is_at_is_waited_for_and_not_done_again(tmp_path, ledger):
    other = Neighbour(tmp_path, toy("a"), finishes=True)
    statuses, execution = run(tmp_path, toy("a"), toy("b", reads="a"), on_change=[other.look])
    assert other.waited
    assert statuses == {"a": "skipped", "b": "done"}
    assert lines(ledger) == ["b"]
    value = json.loads((execution.states["b"].output / "value.json").read_text())
    assert value == ["b", "theirs"]


def test_a_step_that_another_process_gave_up_is_done(tmp_path, ledger):
    other = Neighbour(tmp_path, toy("a"), finishes=False)
    statuses, _ = run(tmp_path, toy("a"), on_change=[other.look])
    assert other.waited
    assert statuses == {"a": "done"}


def test_while_another_process_is_at_one_step_the_others_go_on(tmp_path, ledger):
    other = Neighbour(tmp_path, toy("a"), finishes=True)

    def look(execution):
        if execution.states["b"].status == "done":
            other.look(execution)

    statuses, _ = run(tmp_path, toy("a"), toy("b"), on_change=[look])
    assert statuses == {"a": "skipped", "b": "done"}


def test_a_worker_of_a_killed_study_may_finish_before_its_step_goes_on(tmp_path, ledger):
    log = tmp_path / "study" / "steps" / "a.log"
    log.parent.mkdir(parents=True)
    looks = []
    with open(log, "a") as orphan:
        fcntl.flock(orphan, fcntl.LOCK_EX)

        def look(execution):
            looks.append(execution.states["a"].status)
            if looks == ["waiting", *["running"] * 3]:
                assert lines(ledger) == []
                fcntl.flock(orphan, fcntl.LOCK_UN)

        execution = Execution([toy("a")], tmp_path / "study", on_change=[look])
        execution._log = lambda output: log
        assert execution.run()
    assert looks.count("running") >= 3
    assert lines(ledger) == ["a"]


def test_steps_that_follow_from_what_is_done_are_taken_in(tmp_path, ledger):
    asked = []

    def grow(execution):
        asked.append(sorted(execution.states))
        return [toy("a"), toy("b", reads="a")] if len(asked) == 1 else []

    statuses, _ = run(tmp_path, toy("a"), grow=grow)
    assert statuses == {"a": "done", "b": "done"}
    assert asked == [["a"], ["a", "b"]]
    processes = {line.split()[1] for line in ledger.read_text().splitlines()}
    assert len(processes) == 1  # The worker keeps what it has imported.


def test_a_report_on_the_first_steps_gives_way_to_one_on_all(tmp_path, ledger):
    def report(*needs):
        return Step("report", "report", "tests.pipelines.toy_step", {}, "toy_output", needs=needs)

    following = [[toy("a"), toy("b"), report("a", "b")], []]
    steps = [toy("a"), report("a")]
    execution = Execution(steps, tmp_path / "study", grow=lambda _: following.pop(0))
    execution.states["a"].status = "done"
    execution.catch_up()
    assert execution.states["report"].step.needs == ("a", "b")
    assert execution.states["a"].status == "done"
    assert len(following) == 1  # Asked again once the new step is over, and not before.
