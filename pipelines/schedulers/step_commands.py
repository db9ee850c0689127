"""Which steps of a study a command may ask for."""

from collections.abc import Collection

from groundwork.errors import UserError, nearest
from pipelines.execution.execution import Execution


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
