"""Seeds until decided: which seeds of a study come next, and why it stops.

The study is judged at the looks its plan declares. After each one, the starts whose claims more
seeds would settle get the seeds of the next look; nothing is begun that would go beyond the plan's
minutes. What is known follows from the finished steps alone, so a study that was killed, or whose
steps another scheduler runs, comes to the same seeds.

Minutes are those of a quiet machine: where others take the processor, a step counts as what it took
of it.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from groundwork.untyped import Json
from pipelines import study_file
from pipelines.execution.execution import Execution, StepState
from pipelines.plan import expansion
from pipelines.plan.plan import Plan
from pipelines.plan.steps import Step

if TYPE_CHECKING:
    from fed_pretrain.reporting.claims.row import Row

# A task and one of its starts.
Place = tuple[str, str]


@dataclass
class Deciding:
    """`tell` is called with what each look has found.

    taken: the seeds that each start has been given so far.
    standing: how many claims are decided. ended_by: why seeds that would help were not added.
    """

    plan: Plan
    steps: Sequence[Step]
    parallel: int
    tell: Callable[[str], None] = lambda sentence: None
    taken: dict[Place, int] = field(init=False)
    standing: str = ""
    ended_by: str = ""

    def __post_init__(self) -> None:
        self.taken = _taken_first(self.plan)

    @property
    def first_steps(self) -> list[Step]:
        return first_steps(self.plan, self.steps)

    def next_steps(self, execution: Execution) -> list[Step]:
        """The steps so far with those of the next look; empty where it has ended."""
        rows = _rows(self.plan, execution)
        decided = sum(row.decided for row in rows)
        self.standing = f"{decided} of {len(rows)} claims decided"
        wanted = self._wanted(rows)
        for place in self._affordable(execution, wanted):
            self.taken[place] = max(self.taken[place], wanted[place])
        steps = expansion.of_seeds(self.plan, self.steps, self.taken)
        more = {step.step_id for step in steps} - set(execution.states)
        self.tell(self._told(rows, bool(more)))
        return steps if more else []

    def _wanted(self, rows: Iterable["Row"]) -> dict[Place, int]:
        """The next look of the starts that have a row which seeds would settle."""
        wanted: dict[Place, int] = {}
        for row in rows:
            if row.group != "seeds" or row.seeds_needed is None:
                continue
            for place in ((row.task, row.start), (row.task, row.random)):
                ahead = [n for n in self.plan.looks if n > self.taken[(row.task, row.start)]]
                if ahead:
                    wanted[place] = max(wanted.get(place, 0), ahead[0])
        return wanted

    def _affordable(self, execution: Execution, wanted: Mapping[Place, int]) -> list[Place]:
        """All of them, or none where their seeds would go beyond the plan's minutes."""
        if self.plan.budget.minutes is None or not wanted:
            return list(wanted)
        states = execution.states.values()
        spent = sum(state.quiet_seconds for state in states) / self.parallel
        fresh = sum(
            (number - self.taken[place]) * _seconds_a_seed(states, place, self.taken[place])
            for place, number in wanted.items()
        )
        minutes = (spent + fresh / self.parallel) / 60
        if minutes <= self.plan.budget.minutes:
            return list(wanted)
        least = math.ceil(minutes)
        self.ended_by = (
            f"no more seeds: with them the study would take about {least} minutes, and the plan's"
            f" budget is {self.plan.budget.minutes:g} (--set budget.minutes={least})"
        )
        return []

    def _told(self, rows: Sequence["Row"], more: bool) -> str:
        """What this look has found, and what follows."""
        open_rows = [row for row in rows if not row.decided]
        spans = sorted({self.taken[(r.task, r.start)] for r in open_rows if r.seeds_needed})
        names = ", ".join(f"{row.claim.short} ({row.task})" for row in open_rows)
        told = self.standing + (f"; open: {names}" if names else "")
        if more:
            return f"{told}; going on to {_listed(spans)} seeds for what seeds would settle"
        return f"{told}; {self.ended_by}" if self.ended_by else told


def first_steps(plan: Plan, steps: Sequence[Step]) -> list[Step]:
    """Those of the first look; all of them where the plan fixes its seeds."""
    return expansion.of_seeds(plan, steps, _taken_first(plan)) if plan.looks else list(steps)


def _taken_first(plan: Plan) -> dict[Place, int]:
    first = plan.looks[0] if plan.looks else len(plan.seeds)
    return {(task, start): first for task, one in plan.tasks.items() for start in one.starts}


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(map(str, numbers[-2:])) if len(numbers) > 1 else str(*numbers)


def _seconds_a_seed(states: Iterable[StepState], place: Place, seeds: int) -> float:
    """What the runs and analyses of a start have taken, by the seeds they are of."""
    seconds = sum(
        state.quiet_seconds
        for state in states
        if "seed" in state.step.coordinates
        and (state.step.coordinates.get("task"), state.step.coordinates.get("start")) == place
    )
    return seconds / seeds


def _rows(plan: Plan, execution: Execution) -> "list[Row]":
    from fed_pretrain.reporting import results
    from fed_pretrain.reporting.claims import ledger

    content: Json = json.loads(json.dumps(study_file.content(plan, execution)))
    return ledger.rows(results.study_of(content, execution.workdir))
