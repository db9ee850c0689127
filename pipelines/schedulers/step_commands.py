"""The steps of a study as commands for a scheduler of your own: id, inputs, argument list."""

import json
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from groundwork.errors import UserError, nearest
from groundwork.untyped import Json
from pipelines.execution.execution import Execution
from pipelines.plan.steps import Step


def lines(
    steps: Sequence[Step], program: Sequence[str], plan: str, workdir: str, overrides: Sequence[str]
) -> Iterator[str]:
    """A JSON object a line, inputs before the steps that read them."""
    study = [
        *program,
        f"--plan={os.path.abspath(plan) if Path(plan).suffix else plan}",
        f"--workdir={os.path.abspath(workdir)}",
        *(f"--set={override}" for override in overrides),
    ]
    for step in steps:
        told: dict[str, Json] = {
            "id": step.step_id,
            "kind": step.kind,
            "needs": sorted(step.inputs()),
            "command": [*study, f"--step={step.step_id}"],
        }
        yield json.dumps(told, ensure_ascii=False)


def check_chosen(execution: Execution, later: Collection[str] = ()) -> None:
    """Refuses a chosen step that does not exist, or whose inputs are neither done nor chosen.

    later: steps that the plan may come to, of seeds that may be added.
    """
    chosen = execution.only or ()
    for name in chosen:
        if name not in execution.states and name in later:
            raise UserError(f"--step={name}: no claim asks for its seed so far; see --list_steps")
        if name not in execution.states:
            hint = nearest(name, list(execution.states))
            raise UserError(f"--step={name}: the plan has no such step{hint}; see --list_steps")
    for state in execution.asked:
        for name in sorted(state.step.inputs()):
            if name not in chosen and execution.states[name].status != "skipped":
                raise UserError(
                    f"--step={state.step.step_id}: its input {name} is not done;"
                    f" run --step={name} first"
                )
