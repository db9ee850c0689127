"""The time left of a study, by a clock that tests turn by hand."""

import pytest

from pipelines.execution.display import TimeLeft
from pipelines.execution.execution import StepState
from pipelines.plan.steps import Step


class Bench:
    """A study of a few steps whose rounds and clock the test sets."""

    def __init__(self, *states, **options):
        self.now = 0.0
        self.rounds = {}
        self.states = list(states)
        self.looked_at = []
        self._time_left = TimeLeft(self._round, clock=lambda: self.now, **options)

    def _round(self, state):
        self.looked_at.append(state.step.step_id)
        return self.rounds.get(state.step.step_id)

    def seconds(self):
        return self._time_left.seconds(self.states)


def train(name, rounds, task="a", **stands):
    step = Step(name, "train", "m", {"rounds": rounds}, "workdir", affinity=f"train/{task}")
    return StepState(step, **stands)


def other(kind, **stands):
    return StepState(Step(kind, kind, "m", {}, "workdir", affinity=kind), **stands)


def test_a_step_counts_by_its_rounds_and_not_as_one_of_many():
    bench = Bench(train("short", 10, status="done", seconds=10.0), train("long", 1000))
    assert bench.seconds() == pytest.approx(1000)


def test_rounds_of_another_task_cost_what_its_own_cost():
    bench = Bench(
        train("a1", 10, status="done", seconds=10.0),
        train("b1", 10, task="b", status="done", seconds=100.0),
        train("a2", 10),
        train("b2", 10, task="b"),
    )
    assert bench.seconds() == pytest.approx(10 + 100)


def test_a_long_step_lets_the_time_left_fall_steadily():
    bench = Bench(train("run", 99, status="running", attempts=1))
    told = []
    for second in range(0, 1000, 2):
        bench.now = float(second)
        if second >= 10:
            bench.rounds["run"] = second // 10 - 1  # round 0 at 10 s, then one every ten seconds
        told.append(bench.seconds())
    assert told[:10] == [None] * 10
    assert told[10:] == [pytest.approx(1000 - second) for second in range(20, 1000, 2)]


def test_a_round_that_takes_longer_than_others_leaves_those_after_it():
    bench = Bench(train("run", 10, status="running", attempts=1))
    for bench.now, bench.rounds["run"] in ((0.0, None), (5.0, 0), (15.0, 1)):
        told = bench.seconds()
    assert told == pytest.approx(90)
    bench.now = 1000.0
    assert bench.seconds() == pytest.approx(80)


def test_what_comes_before_the_first_round_is_no_measure_of_a_round():
    bench = Bench(train("run", 100, status="running", attempts=1), train("next", 100))
    for bench.now, bench.rounds["run"] in ((0.0, None), (60.0, 0), (61.0, 1)):
        told = bench.seconds()
    assert told == pytest.approx(99 + 100)
    bench.states[0].status, bench.states[0].seconds = "done", 160.0
    assert bench.seconds() == pytest.approx(100)


def test_rounds_done_before_this_attempt_took_none_of_its_time():
    bench = Bench(train("run", 100, status="running", attempts=1))
    for bench.now, bench.rounds["run"] in ((0.0, 50), (20.0, 51), (30.0, 61)):
        told = bench.seconds()
    assert told == pytest.approx(39)


def test_a_step_tried_again_is_measured_anew():
    bench = Bench(train("run", 100, status="running", attempts=1))
    for bench.now, bench.rounds["run"] in ((0.0, None), (10.0, 0), (20.0, 1)):
        bench.seconds()
    bench.states[0].attempts, bench.states[0].started = 2, 100.0
    for bench.now, bench.rounds["run"] in ((100.0, 1), (110.0, 2), (111.0, 3)):
        told = bench.seconds()
    assert told == pytest.approx(97)


def test_a_kind_never_seen_takes_its_share_of_the_planned_time():
    bench = Bench(train("run", 10), other("analyze"), planned_seconds=600.0)
    assert bench.seconds() == pytest.approx(600)
    bench.states[0].status, bench.states[0].seconds = "done", 5.0
    assert bench.seconds() == pytest.approx(300)


def test_the_planned_time_is_that_of_the_study_however_many_steps_run_at_once():
    steps = [train("run", 10), other("analyze"), other("report"), other("prepare")]
    assert Bench(*steps, planned_seconds=600.0, parallel=2).seconds() == pytest.approx(600)


def test_a_step_to_come_also_takes_what_the_quickest_took_before_its_first_round():
    bench = Bench(*(train(name, 10, attempts=1) for name in ("first", "second", "third")))
    for number, before in enumerate((30.0, 2.0)):
        state = bench.states[number]
        state.status = "running"
        for bench.now, bench.rounds[state.step.step_id] in (
            (0, None),
            (before, 0),
            (before + 1, 1),
        ):
            bench.seconds()
        state.status, state.seconds = "done", before + 10.0
    assert bench.seconds() == pytest.approx(2 + 10)


def test_without_a_plan_nothing_is_told_while_most_is_unknown():
    prepare = other("prepare", status="done", seconds=7.0)
    assert Bench(prepare, train("run", 10)).seconds() is None
    runs = [train("run", 10, status="done", seconds=10.0), train("next", 10)]
    # The report, of a kind not seen yet, counts as the mean of the 7 s and the 10 s.
    assert Bench(prepare, *runs, other("report")).seconds() == pytest.approx(10 + 8.5)


def test_steps_side_by_side_share_the_time_but_no_step_is_shared():
    done = train("done", 10, status="done", seconds=10.0)
    assert Bench(done, *(train(f"r{n}", 10) for n in range(4)), parallel=2).seconds() == 20
    assert Bench(done, train("long", 100), train("short", 10), parallel=2).seconds() == 100


def test_what_failed_or_is_blocked_takes_no_more_time():
    done = train("done", 10, status="done", seconds=10.0)
    assert (
        Bench(done, train("f", 10, status="failed"), train("b", 10, status="blocked")).seconds()
        == 0
    )


def test_only_at_a_training_at_work_is_looked_again():
    over = [train(word, 10, status=word) for word in ("done", "skipped", "failed", "blocked")]
    bench = Bench(*over, train("run", 10, status="running", attempts=1), train("next", 10))
    bench.seconds()
    assert bench.looked_at == ["run"]
