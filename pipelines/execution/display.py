"""What a running study shows: a line a finished step, and one line for how far things are."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from groundwork import from_json
from groundwork.progress import Progress, duration
from groundwork.untyped import Json
from pipelines.execution.execution import Execution, StepState
from pipelines.plan.steps import Step, kinship

Rounds = Callable[[StepState], int | None]


def pieces(step: Step) -> int:
    rounds = step.flags.get("rounds")
    return max(1, int(rounds)) if step.kind == "train" and rounds is not None else 1


@dataclass
class _Cost:
    seconds: float = 0.0
    pieces: int = 0
    begins: list[float] = field(default_factory=list)
    """Seconds before the first round of each step that is over."""

    def add(self, seconds: float, done: int) -> None:
        self.seconds += seconds
        self.pieces += done

    @property
    def each(self) -> float:
        return self.seconds / self.pieces

    @property
    def begin(self) -> float:
        """Of a step to come: the first one of its kind also compiles."""
        return min(self.begins) if len(self.begins) > 1 else 0.0


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
    """rounds: the last round a step at work has finished, None before it has reported any."""

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
        """By affinity, by what it is a part of, and by kind of step."""
        costs: dict[str, _Cost] = defaultdict(_Cost)
        for state in states:
            seconds, done = self._measured(state)
            if not done:
                continue
            kin = kinship(state.step.affinity)
            for name in (*kin, state.step.kind):
                costs[name].add(seconds, done)
            advance = self._advances.get(state.step.step_id)
            if state.over and advance is not None and advance.first is not None:
                for name in kin:
                    costs[name].begins.append(advance.first_seconds)
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
        known = [kin for kin in (*kinship(step.affinity), step.kind) if kin in costs]
        if not known:
            return None
        cost = costs[known[0]]
        if state.status != "running":
            return cost.begin + cost.each * pieces(step)
        advance = self._advances[step.step_id]
        since = self.clock() - state.started - advance.latest_seconds
        # The piece at work may take longer than it should; those after it still have to come.
        after = max(0, pieces(step) - (advance.latest or 0) - 1)
        return cost.each * after + max(0.0, cost.each - since)

    def _stand_in(self, states: Sequence[StepState]) -> float:
        """What a step costs of whose kind none was seen."""
        if self.planned_seconds is not None:
            return self.planned_seconds * self.parallel / len(states)
        finished = [state.seconds for state in states if state.status in ("done", "skipped")]
        return sum(finished) / len(finished) if finished else 0.0


_COLUMNS = 100
_FEWEST_FOR_A_STEP = 32
_BLOCK = 1 << 14


class _Line(Progress):
    """The whole line is the study's own: a count of steps does not give the time they take."""

    def _line(self, done: int, detail: str, elapsed: float) -> str:
        return detail


class Display:
    def __init__(
        self,
        name: str,
        time_left: TimeLeft,
        *,
        standing: Callable[[], str] = str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`standing` says how far the study's question is decided; empty where nothing is known."""
        self._standing = standing
        self._name = name
        self._time_left = time_left
        self._clock = clock
        self._started = clock()
        self._shown: dict[str, str] = {}
        self._said: set[str] = set()
        self._progress = _Line(name, stream=stream)

    def note(self, sentence: str) -> None:
        """A line that stays."""
        self._progress.note(sentence)

    def show(self, execution: Execution) -> None:
        states = execution.asked
        self._note_changes(states)
        self._progress.update(0, self.line(states))

    def line(self, states: Sequence[StepState]) -> str:
        done = sum(state.over for state in states)
        parts = [self._name, f"{done}/{len(states)} steps"]
        parts.append(f"{duration(self._clock() - self._started)} elapsed")
        left = self._time_left.seconds(states)
        if left is not None and done < len(states):
            parts.append(f"about {duration(_coarse(left))} left")
        parts += filter(None, [self._standing()])
        running = [state for state in states if state.status == "running"]
        room = _COLUMNS - len("  ".join(parts)) - 2
        return "  ".join(filter(None, [*parts, _at_work(running, room)]))

    def _note_changes(self, states: Sequence[StepState]) -> None:
        first = not self._shown
        blocked = 0
        for state in states:
            before = self._shown.get(state.step.step_id)
            self._shown[state.step.step_id] = state.status
            # The study's description says how many steps were done before.
            if state.status == before or (first and state.status == "skipped"):
                continue
            if before == "running" and state.status == "waiting":
                self._progress.note(f"again    {state.step.step_id}: {state.message}")
            elif state.status == "elsewhere":
                self._progress.note(f"waiting  {state.step.step_id}: another process is at it")
            elif state.status == "blocked":
                blocked += 1
            elif state.over:
                said = _result(state) if state.status in ("done", "skipped") else self._once(state)
                took = duration(state.seconds)
                self._progress.note(f"{state.status:8} {state.step.step_id}  {took}  {said}")
        if blocked:
            self._progress.note(f"blocked  {blocked} steps whose inputs failed")

    def _once(self, state: StepState) -> str:
        """Why it failed, unless another step has failed with the same words."""
        if state.message in self._said:
            return "for the same reason"
        self._said.add(state.message)
        return state.message

    def close(self) -> None:
        self._progress.close()


def _coarse(seconds: float) -> float:
    """To ten seconds: it is a guess."""
    return seconds if seconds < 60 else round(seconds, -1)


def _at_work(running: Sequence[StepState], room: int) -> str:
    """The steps at work, as many as there is room for."""
    shown = min(len(running), max(1, room // _FEWEST_FOR_A_STEP))
    more = f" and {len(running) - shown} more" if shown < len(running) else ""
    each = (room - len(more)) // max(1, shown)
    return "; ".join(_told(state, each - 2) for state in running[:shown]) + more


def _told(state: StepState, room: int) -> str:
    done, total = last_round(state), state.step.flags.get("rounds")
    where = f" round {done}/{total}" if done is not None and total else ""
    return shortened(state.step.step_id, room - len(where)) + where


def shortened(step_id: str, room: int) -> str:
    """Its kind and as much of its end as there is room for: neighbours differ in their ends."""
    if len(step_id) <= room:
        return step_id
    kind, *parts = step_id.split("/")
    while len(parts) > 1 and len(f"{kind}/…/{'/'.join(parts)}") > room:
        parts = parts[1:]
    short = f"{kind}/…/{'/'.join(parts)}"
    return short if len(short) <= room else "…" + short[len(short) - room + 1 :]


def last_round(state: StepState) -> int | None:
    return _last_row(state.output).get("round")


def _result(state: StepState) -> str:
    accuracy = _last_row(state.output).get("eval_accuracy")
    return f"accuracy {accuracy:.3f}" if accuracy is not None else ""


def _last_row(output: Path | None) -> dict[str, Json]:
    """The last whole row of a run's metrics; empty when there is none yet."""
    try:
        return from_json.text(_last_line(output / "metrics.jsonl")) if output else {}
    except (OSError, ValueError):
        return {}


def _last_line(path: Path) -> bytes:
    """The last line that is whole; what comes before it in a long file is not read."""
    with open(path, "rb") as file:
        size, taken, tail = os.path.getsize(path), 0, b""
        while taken < size and tail.count(b"\n") < 2:
            taken = min(size, max(_BLOCK, 2 * taken))
            file.seek(size - taken)
            tail = file.read(taken)
    *whole, _ = tail.split(b"\n")
    return whole[-1] if whole else b""
