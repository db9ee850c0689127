"""The time left of a study, by a clock that tests turn by hand."""

import pytest

from pipelines.execution import StepState
from pipelines.steps import Step
from pipelines.time_left import TimeLeft


class Bench:
    """A study of a few steps whose rounds and clock the test sets."""

    def __init__(self, *states, **options):
        self.now = 0.0
        self.rounds = {}
        self.states = list(states)
        self._time_left = TimeLeft(
            lambda state: self.rounds.get(state.step.step_id), clock=lambda: self.now, **options
        )

    def seconds(self):
        return self._time_left.seconds(self.states)


def train(name, rounds, task="a", **stands):
    step = Step(name, "train", "m", {"rounds": rounds}, "workdir", affinity=f"train/{task}")
    return StepState(step, **stands)


def other(kind, **stands):
    return StepState(Step(kind, kind, "m", {}, "workdir", affinity=kind), **stands)


def test_a_step_counts_by_its_rounds_and_not_as_one_of_many():
    # 10 s for 9 rounds and what comes before them is 1 s a piece: 1000 pieces are left.
    bench = Bench(train("short", 9, status="done", seconds=10.0), train("long", 999))
    assert bench.seconds() == pytest.approx(1000)


def test_rounds_of_another_task_cost_what_its_own_cost():
    bench = Bench(
        train("a1", 9, status="done", seconds=10.0),
        train("b1", 9, task="b", status="done", seconds=100.0),
        train("a2", 9),
        train("b2", 9, task="b"),
    )
    assert bench.seconds() == pytest.approx(10 + 100)


def test_a_long_step_lets_the_time_left_fall_steadily():
    bench = Bench(train("run", 99, status="running", attempts=1))
    told = []
    for second in range(0, 1000, 2):
        bench.now = float(second)
        if second >= 10:
            bench.rounds["run"] = second // 10 - 1  # a round every ten seconds, after as many
        told.append(bench.seconds())
    known = [seconds for seconds in told if seconds is not None]
    assert told[:5] == [None] * 5
    assert known == sorted(known, reverse=True)
    assert known[0] == pytest.approx(990)
    assert known[-1] == pytest.approx(2)


def test_a_round_that_takes_longer_than_others_leaves_those_after_it():
    bench = Bench(train("run", 9, status="running", attempts=1))
    bench.seconds()
    bench.now, bench.rounds["run"] = 10.0, 0
    assert bench.seconds() == pytest.approx(90)
    bench.now = 1000.0
    assert bench.seconds() == pytest.approx(80)


def test_rounds_done_before_this_attempt_took_none_of_its_time():
    bench = Bench(train("run", 99, status="running", attempts=1))
    bench.rounds["run"] = 49
    assert bench.seconds() is None
    bench.now, bench.rounds["run"] = 10.0, 59
    assert bench.seconds() == pytest.approx(40)


def test_a_kind_never_seen_takes_its_share_of_the_planned_time():
    bench = Bench(train("run", 9), other("analyze"), planned_seconds=600.0)
    assert bench.seconds() == pytest.approx(600)
    bench.states[0].status, bench.states[0].seconds = "done", 5.0
    assert bench.seconds() == pytest.approx(300)


def test_without_a_plan_nothing_is_told_while_most_is_unknown():
    prepare = other("prepare", status="done", seconds=7.0)
    assert Bench(prepare, train("run", 9)).seconds() is None
    runs = [train("run", 9, status="done", seconds=10.0), train("next", 9)]
    # The report, of a kind not seen yet, counts as the mean of the 7 s and the 10 s.
    assert Bench(prepare, *runs, other("report")).seconds() == pytest.approx(10 + 8.5)


def test_steps_side_by_side_share_the_time_but_no_step_is_shared():
    done = train("done", 9, status="done", seconds=10.0)
    assert Bench(done, *(train(f"r{n}", 9) for n in range(4)), parallel=2).seconds() == 20
    assert Bench(done, train("long", 99), train("short", 9), parallel=2).seconds() == 100


def test_what_failed_or_is_blocked_takes_no_more_time():
    done = train("done", 9, status="done", seconds=10.0)
    assert (
        Bench(done, train("f", 9, status="failed"), train("b", 9, status="blocked")).seconds() == 0
    )
