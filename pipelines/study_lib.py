"""A study: a plan, the steps it expands to, their execution and the record the report reads."""

import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import FrameType
from typing import Any

from data_prep import atomic
from data_prep.progress import Progress, duration
from pipelines import flag_check
from pipelines import plan as plan_module
from pipelines.execution import Execution, StepState, forget_stale_outputs
from pipelines.expansion import expand
from pipelines.steps import Step, read_record

CORES_PER_CELL = 2
MEMORY_PER_CELL = 3e9


@dataclass(frozen=True)
class StudyConfig:
    plan: str
    workdir: str
    overrides: tuple[str, ...] = ()
    parallel: int = 0
    dry_run: bool = False
    forget_stale: bool = False


@dataclass(frozen=True)
class StudyResult:
    report: Path | None
    failed: tuple[str, ...]
    stopped: bool


def run(config: StudyConfig) -> StudyResult:
    """Runs (or continues) the study; the report is made even when some cells failed."""
    document = plan_module.read(config.plan, config.overrides, words())
    plan = plan_module.build(document)
    steps = expand(plan)
    flag_check.check(steps, document, plan.tuning)
    workdir = Path(config.workdir)
    if config.dry_run:
        print(describe(plan, steps, workdir))
        return StudyResult(None, (), False)
    workdir.mkdir(parents=True, exist_ok=True)
    print(describe(plan, steps, workdir), file=sys.stderr)
    display = _Display(plan, workdir)
    execution = Execution(
        steps,
        workdir.resolve(),
        parallel=config.parallel or plan.budget.parallel or room_for_cells(),
        retries=plan.budget.retries,
        on_change=display.show,
    )
    with _stop_on_signal(execution):
        execution.run()
    display.close()
    if config.forget_stale:
        print(f"removed {forget_stale_outputs(execution)} outputs of former settings")
    failed = [s.step.step_id for s in execution.states.values() if s.status == "failed"]
    report = execution.states["report"]
    made = report.status in ("done", "skipped") and report.output is not None
    page = report.output / "index.html" if made and report.output else None
    stopped = any(not state.over for state in execution.states.values())
    return StudyResult(page, tuple(failed), stopped)


def room_for_cells() -> int:
    """How many cells fit at once: the executor of one cell uses two cores well."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    by_memory = int(memory // MEMORY_PER_CELL)
    return max(1, min((os.cpu_count() or 1) // CORES_PER_CELL, by_memory))


def describe(plan: plan_module.Plan, steps: Sequence[Step], workdir: Path) -> str:
    """The plan in words: what will run, what is there already, how long it may take."""
    counts = Counter(step.kind for step in steps)
    lines = [f"{plan.title}  ({plan.name})", plan.question]
    lines += [f"  reduced: {reduction}" for reduction in plan.reductions]
    lines.append("  steps: " + ", ".join(f"{number} {kind}" for kind, number in counts.items()))
    for name, task in plan.tasks.items():
        lines.append(
            f"  {name}: {len(task.starts)} starts ({', '.join(task.starts)})"
            f" x {len(plan.algorithms)} algorithms x {len(plan.seeds)} seeds"
        )
    for axis, points in plan.sweep.items():
        lines.append(f"  sweep {axis}: {', '.join(points)}")
    rounds = sum(int(step.flags.get("rounds", 0)) for step in steps if step.kind == "train")
    lines.append(f"  federated rounds: {rounds:,}")
    lines.append(f"  estimate: {_estimate(plan, steps, workdir)}")
    return "\n".join(lines)


def _estimate(plan: plan_module.Plan, steps: Sequence[Step], workdir: Path) -> str:
    seconds = _seconds_by_kind(workdir)
    known = [step for step in steps if step.kind in seconds]
    if known:
        total = sum(seconds[step.kind] for step in known)
        unknown = len(steps) - len(known)
        more = f", and {unknown} steps of a kind not seen here yet" if unknown else ""
        return f"about {duration(total)} for all (from finished steps here{more})"
    if plan.budget.minutes:
        return f"planned for {plan.budget.minutes:g} minutes on two cores"
    return "unknown until the first steps are done"


def _seconds_by_kind(workdir: Path) -> dict[str, float]:
    seen: dict[str, list[float]] = defaultdict(list)
    for path in (workdir / "steps").rglob("step.json"):
        record = read_record(path.parent)
        if record is not None:
            kind = path.parent.relative_to(workdir / "steps").parts[0].split("@")[0]
            seen[kind].append(record.seconds)
    return {kind: sum(values) / len(values) for kind, values in seen.items()}


def write_study(plan: plan_module.Plan, execution: Execution) -> None:
    """`study.json`: the plan and where each step stands; the report is made from it."""
    value = {
        "plan": asdict(plan),
        "steps": [_step_record(state, execution.workdir) for state in execution.states.values()],
    }
    atomic.write_json(execution.workdir / "study.json", value)


def _step_record(state: StepState, workdir: Path) -> Mapping[str, Any]:
    return {
        "id": state.step.step_id,
        "kind": state.step.kind,
        "coordinates": dict(state.step.coordinates),
        "status": "done" if state.status == "skipped" else state.status,
        "message": state.message,
        "output": str(state.output.relative_to(workdir)) if state.output else None,
        "seconds": round(state.seconds, 3),
    }


class _Display:
    """Live progress of the grid: a line a finished step, and one line for where things stand."""

    def __init__(self, plan: plan_module.Plan, workdir: Path) -> None:
        self._plan = plan
        self._workdir = workdir
        self._shown: dict[str, str] = {}
        self._progress: Progress | None = None
        self._started = time.monotonic()

    def show(self, execution: Execution) -> None:
        states = list(execution.states.values())
        if self._progress is None:
            self._progress = Progress(self._plan.name, len(states))
        changed = {s.step.step_id: s.status for s in states} != self._shown
        if changed:
            self._log_changes(states)
            write_study(self._plan, execution)
        done = sum(state.over for state in states)
        running = [_running(state) for state in states if state.status == "running"]
        self._progress.update(done, "; ".join(running))

    def _log_changes(self, states: Sequence[StepState]) -> None:
        assert self._progress is not None
        for state in states:
            before = self._shown.get(state.step.step_id)
            self._shown[state.step.step_id] = state.status
            if state.status == before or state.status in ("waiting", "running"):
                if before == "running" and state.status == "waiting":
                    self._progress.note(f"again    {state.step.step_id}: {state.message}")
                continue
            result = _result(state) if state.status in ("done", "skipped") else state.message
            self._progress.note(
                f"{state.status:8} {state.step.step_id}  {duration(state.seconds)}  {result}"
            )

    def close(self) -> None:
        if self._progress is not None:
            self._progress.close()


def _last_row(output: Path | None) -> dict[str, Any]:
    """The last whole row of a run's metrics; empty when there is none yet."""
    try:
        lines = (output / "metrics.jsonl").read_text(encoding="utf-8").split("\n") if output else []
        return json.loads(lines[-2]) if len(lines) > 1 else {}
    except (OSError, ValueError):
        return {}


def _running(state: StepState) -> str:
    row = _last_row(state.output)
    total = state.step.flags.get("rounds")
    where = f" round {row['round']}/{total}" if row and total else ""
    return f"{state.step.step_id}{where}"


def _result(state: StepState) -> str:
    row = _last_row(state.output)
    accuracy = row.get("eval_accuracy")
    return f"accuracy {accuracy:.3f}" if accuracy is not None else ""


class _stop_on_signal:
    """SIGINT or SIGTERM: running cells save and leave; the same command continues the study."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._previous: dict[int, Any] = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        os.write(2, b"\nstopping: running cells save first; the same command continues\n")
        self._execution.stop()

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)

    def __exit__(self, *unused: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def words() -> plan_module.Words:
    """The rates, the tasks and the report's parts that a plan may name."""
    from fed_pretrain.algorithms.config import AlgorithmConfig
    from fed_pretrain.reporting import claims, report
    from fed_pretrain.tasks import registry

    return plan_module.Words(
        rates=[field.name for field in fields(AlgorithmConfig) if field.type is float],
        tasks=registry.names(),
        claims=[claim.key for claim in claims.CLAIMS],
        sections=list(report.SECTIONS),
    )
