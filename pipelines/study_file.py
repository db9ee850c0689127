"""`study.json`: the plan, where every step is, and how the results were made."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from groundwork import files, from_json, versions
from groundwork.untyped import Json
from pipelines.execution.execution import Execution, StepState
from pipelines.plan.plan import Plan

NAME = "study.json"


class StudyFile:
    """Written anew whenever a step's status is another than before.

    `passes` has an entry for each time that the study was begun or continued and ran a step.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._written: dict[str, str] = {}
        self._former: list[Mapping[str, Json]] = []
        self._pass = {
            "command": _command(),
            "begin": _now(),
            "commit": versions.current().get("commit"),
            "dirty": versions.dirty(),
            "versions": versions.current(),
            "machine": versions.machine(),
        }

    def update(self, execution: Execution) -> None:
        states = execution.states.values()
        statuses = {state.step.step_id: state.status for state in states}
        if statuses == self._written:
            return
        path = execution.workdir / NAME
        if not self._written:
            self._former = _passes(path)
        self._written = statuses
        worked = any(state.attempts for state in states)
        begun = worked or not self._former
        now = [{**self._pass, "end": _now(), "load": round(os.getloadavg()[1], 1)}] if begun else []
        passes = {"passes": [*self._former, *now]}
        files.write_json(path, content(self._plan, execution) | passes)


def content(plan: Plan, execution: Execution) -> dict[str, Json]:
    """The plan, and where each step is."""
    records = [_record(state, execution.workdir) for state in execution.states.values()]
    return {"plan": asdict(plan), "steps": records}


def _passes(path: Path) -> list[Mapping[str, Json]]:
    """Those of a former command; none where there was no study, or one of an older version."""
    try:
        return list(from_json.record(path).get("passes", []))
    except (OSError, ValueError):
        return []


def _command() -> str:
    """As it would be typed: the program as a module, not as the file that Python ran."""
    main = getattr(sys.modules.get("__main__"), "__spec__", None)
    program = ["python", "-m", main.name] if main is not None else sys.argv[:1]
    return shlex.join([*program, *sys.argv[1:]])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _record(state: StepState, workdir: Path) -> Mapping[str, Json]:
    return {
        "id": state.step.step_id,
        "kind": state.step.kind,
        "coordinates": dict(state.step.coordinates),
        "status": "done" if state.status == "skipped" else state.status,
        "message": state.message,
        "output": str(state.output.relative_to(workdir)) if state.output else None,
        "seconds": round(state.seconds, 3),
    }
