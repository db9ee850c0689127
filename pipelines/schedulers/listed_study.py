"""A study as a scheduler sees it: commands, each for one step, and what they wait for."""

import json
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from groundwork.stores import mirror
from pipelines.plan.plan import Plan
from pipelines.plan.steps import Step


@dataclass(frozen=True)
class Task:
    """A step under a scheduler: `name` is legal there, `needs` are names of tasks before it."""

    name: str
    group: str
    step_id: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class ListedStudy:
    """`flags` are the study's own; relative paths in its plan begin at `folder`.

    intervals: of its data so far, in the order of time.
    """

    name: str
    title: str
    question: str
    retries: int
    workdir: str
    folder: str
    flags: tuple[str, ...]
    steps: tuple[Step, ...]
    intervals: tuple[str, ...] = ()

    @property
    def logs(self) -> str:
        """A folder for what a scheduler prints: it knows no store."""
        return f"{self.folder if mirror.is_remote(self.workdir) else self.workdir}/slurm"

    def lines(self, program: Sequence[str]) -> Iterator[str]:
        """A JSON object a line, inputs before the steps that read them."""
        for step in self.steps:
            line = {
                "id": step.step_id,
                "kind": step.kind,
                "needs": sorted(step.inputs()),
                "command": [*program, *self.flags, f"--step={step.step_id}"],
            }
            yield json.dumps(line, ensure_ascii=False)

    def command(self, program: Sequence[str]) -> str:
        """The study's own command, which runs what is missing and makes the report."""
        return shlex.join([*program, *self.flags])

    def tasks(self) -> list[Task]:
        """Every step but the report, inputs first."""
        steps = [step for step in self.steps if step.kind != "report"]
        names = _legal_names(steps)
        return [
            Task(
                name=names[step.step_id],
                group=step.kind,
                step_id=step.step_id,
                needs=tuple(names[needed] for needed in sorted(step.inputs())),
            )
            for step in steps
        ]


def listed(
    plan: Plan, steps: Sequence[Step], given: str, workdir: str, overrides: Sequence[str]
) -> ListedStudy:
    """`given` is the plan as typed: the name of a shipped one, or a file."""
    return ListedStudy(
        name=plan.name,
        title=plan.title,
        question=plan.question,
        retries=plan.budget.retries,
        workdir=_whole(workdir),
        folder=os.getcwd(),
        flags=(
            f"--plan={os.path.abspath(given) if Path(given).suffix else given}",
            f"--workdir={_whole(workdir)}",
            *(f"--set={override}" for override in overrides),
        ),
        steps=tuple(steps),
        intervals=plan.intervals,
    )


def _whole(workdir: str) -> str:
    return workdir if mirror.is_remote(workdir) else os.path.abspath(workdir)


def waves(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks that may run side by side, each wave after the one before it."""
    depth: dict[str, int] = {}
    result: list[list[Task]] = []
    for task in tasks:
        depth[task.name] = 1 + max((depth[name] for name in task.needs), default=-1)
        if depth[task.name] == len(result):
            result.append([])
        result[depth[task.name]].append(task)
    return result


_LONGEST_NAME = 200


def _legal_names(steps: Sequence[Step]) -> dict[str, str]:
    """Distinct names of letters, digits, `_` and `-`, which every scheduler takes."""
    names: dict[str, str] = {}
    for step in steps:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", step.step_id.replace("/", "--"))[:_LONGEST_NAME]
        name, number = plain, 2
        while name in names.values():
            name, number = f"{plain}-{number}", number + 1
        names[step.step_id] = name
    return names
