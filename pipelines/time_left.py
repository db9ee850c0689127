"""How long a study will still take, from the work of its steps and not from their number.

A training's work is its rounds; any other step is one piece of work. A piece costs what pieces of
the same binary and task have cost so far, else those of the same kind of step, else a step's share
of the time the plan was made for. What a training does before its first round (imports, traces) is
left out where it was seen: most of it is paid once a process, and is no measure of a round.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pipelines.execution import StepState
from pipelines.steps import Step

Rounds = Callable[[StepState], int | None]


def pieces(step: Step) -> int:
    rounds = step.flags.get("rounds")
    return max(1, int(rounds)) if step.kind == "train" and rounds is not None else 1


@dataclass
class _Cost:
    seconds: float = 0.0
    pieces: int = 0

    def add(self, seconds: float, done: int) -> None:
        self.seconds += seconds
        self.pieces += done

    @property
    def each(self) -> float:
        return self.seconds / self.pieces


@dataclass
class _Advance:
    """One attempt at a training: the rounds it found done, its first one and its latest, and when.

    Times are seconds since the attempt began; `first` is None until a round has come.
    """

    attempt: int
    latest: int | None
    latest_seconds: float = 0.0
    first: int | None = None
    first_seconds: float = 0.0

    def come(self, round_number: int, seconds: float) -> None:
        if self.first is None:
            self.first, self.first_seconds = round_number, seconds
        self.latest, self.latest_seconds = round_number, seconds


@dataclass
class TimeLeft:
    """rounds: the last round a step at work has finished, None before it has told of any."""

    rounds: Rounds
    parallel: int = 1
    planned_seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    _advances: dict[str, _Advance] = field(default_factory=dict)

    def seconds(self, states: Sequence[StepState]) -> float | None:
        """About how long until every step is over; None while too little is known."""
        costs = self._costs(states)
        ahead = [state for state in states if not state.over]
        known = [self._seconds_of(state, costs) for state in ahead]
        unknown = known.count(None)
        if unknown and self.planned_seconds is None and 2 * unknown > len(ahead):
            return None
        stand_in = self._stand_in(states)
        left = [stand_in if seconds is None else seconds for seconds in known]
        return max(sum(left) / self.parallel, max(left, default=0.0))

    def _costs(self, states: Iterable[StepState]) -> dict[str, _Cost]:
        """By affinity and by kind of step."""
        costs: dict[str, _Cost] = defaultdict(_Cost)
        for state in states:
            seconds, done = self._measured(state)
            if done:
                costs[state.step.affinity].add(seconds, done)
                costs[state.step.kind].add(seconds, done)
        return costs

    def _measured(self, state: StepState) -> tuple[float, int]:
        """Seconds and pieces of what a step has done since its first round."""
        over = state.status in ("done", "skipped")
        if not over and state.status != "running":
            return 0.0, 0
        advance = self._advance(state)
        if advance.first is not None and advance.latest is not None:
            latest = pieces(state.step) if over else advance.latest
            seconds = state.seconds if over else advance.latest_seconds
            if latest > advance.first:
                return seconds - advance.first_seconds, latest - advance.first
        return (state.seconds, pieces(state.step)) if over else (0.0, 0)

    def _advance(self, state: StepState) -> _Advance:
        """Looks where a step is. A continued training finds rounds that took none of its time."""
        at_work = state.status == "running"
        found = self.rounds(state) if at_work and state.step.kind == "train" else None
        name = state.step.step_id
        advance = self._advances.get(name)
        if advance is None or advance.attempt != state.attempts:
            advance = self._advances[name] = _Advance(state.attempts, found)
        if found is not None and found != advance.latest:
            advance.come(found, self.clock() - state.started)
        return advance

    def _seconds_of(self, state: StepState, costs: dict[str, _Cost]) -> float | None:
        step = state.step
        cost = costs.get(step.affinity) or costs.get(step.kind)
        if cost is None:
            return None
        if state.status != "running":
            return cost.each * pieces(step)
        advance = self._advances[step.step_id]
        since = self.clock() - state.started - advance.latest_seconds
        # The piece at work may take longer than it should; those after it still have to come.
        after = max(0, pieces(step) - (advance.latest or 0) - 1)
        return cost.each * after + max(0.0, cost.each - since)

    def _stand_in(self, states: Sequence[StepState]) -> float:
        """What a step costs of whose kind none was seen."""
        if self.planned_seconds is not None:
            return self.planned_seconds / len(states)
        finished = [state.seconds for state in states if state.status in ("done", "skipped")]
        return sum(finished) / len(finished) if finished else 0.0
