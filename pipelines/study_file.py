"""`study.json`: the plan and where each step stands; the report is made from it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_prep import atomic
from pipelines.execution import Execution, StepState
from pipelines.plan import Plan


class StudyFile:
    """Written anew whenever a step stands elsewhere than before."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._written: dict[str, str] = {}

    def update(self, execution: Execution) -> None:
        states = execution.states.values()
        statuses = {state.step.step_id: state.status for state in states}
        if statuses != self._written:
            self._written = statuses
            records = [_record(state, execution.workdir) for state in states]
            content = {"plan": asdict(self._plan), "steps": records}
            atomic.write_json(execution.workdir / "study.json", content)


def _record(state: StepState, workdir: Path) -> Mapping[str, Any]:
    return {
        "id": state.step.step_id,
        "kind": state.step.kind,
        "coordinates": dict(state.step.coordinates),
        "status": "done" if state.status == "skipped" else state.status,
        "message": state.message,
        "output": str(state.output.relative_to(workdir)) if state.output else None,
        "seconds": round(state.seconds, 3),
    }
