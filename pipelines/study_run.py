"""A study: a plan, the steps it expands to, and their execution."""

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import FrameType

from groundwork import files, plugins, signals
from groundwork.errors import UserError
from groundwork.locks import WorkdirLock
from groundwork.progress import duration
from groundwork.stores import mirror
from groundwork.untyped import Json
from pipelines import deciding as deciding_module
from pipelines import hyperparameters, study_file
from pipelines.deciding import Deciding
from pipelines.execution import fit_check, flag_check
from pipelines.execution.display import Display, TimeLeft, last_round
from pipelines.execution.execution import STEPS, Execution, StepState, forget_stale_outputs
from pipelines.plan import intervals, plan_checks
from pipelines.plan import plan as plan_module
from pipelines.plan.expansion import expand
from pipelines.plan.steps import Step
from pipelines.schedulers import step_commands
from pipelines.schedulers.listed_study import ListedStudy, listed
from pipelines.study_file import StudyFile
from pipelines.watching.progress_file import ProgressFile

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
    only: tuple[str, ...] = ()
    """Steps to run by themselves; () is the whole study."""
    intervals: tuple[str, ...] = ()
    """Of the data, beside those that the plan and the study have."""


@dataclass(frozen=True)
class StudyResult:
    """`failed`: why each failed step did. ended_by: why no seeds were added."""

    report: Path | None
    failed: Mapping[str, str]
    stopped: bool
    ended_by: str = ""


def run(config: StudyConfig) -> StudyResult:
    """Runs (or continues) the study; the report is made even when some cells failed."""
    if config.only and config.forget_stale:
        raise UserError("--forget_stale is for a whole study, not for --step")
    if config.dry_run or (config.only and "report" not in config.only):
        mirror.here(config.workdir)
        return _run(config)
    with mirror.working(config.workdir, last=study_file.NAME, but=STEPS):
        return _run(config)


def _run(config: StudyConfig) -> StudyResult:
    config = with_intervals(config)
    deciding, execution = _begun(config)
    plan = deciding.plan
    planned = plan.budget.minutes * 60 if plan.budget.minutes else None
    time_left = TimeLeft(last_round, execution.parallel, planned)
    if config.only:
        step_commands.check_chosen(execution, later=[step.step_id for step in deciding.steps])
        execution.grow = None
    if config.dry_run:
        print(describe(deciding, execution, time_left))
        return StudyResult(None, {}, False)
    if not config.only:
        print(describe(deciding, execution, time_left), file=sys.stderr)
    display = Display(plan.name, time_left, standing=lambda: deciding.standing)
    deciding.tell = display.note
    progress = ProgressFile(lambda: time_left.seconds(execution.asked), lambda: deciding.standing)
    _execute(plan, execution, display, progress)
    if config.forget_stale:
        print(_forget_stale(execution))
    return _result(execution, deciding)


def with_intervals(config: StudyConfig) -> StudyConfig:
    """The same with all its intervals among its overrides, so that each step's command has them."""
    document = plan_module.read(config.plan, config.overrides)
    known = mirror.place(config.workdir) / study_file.NAME
    more = intervals.override(known, document.value, config.intervals)
    return config if more is None else replace(config, overrides=(*config.overrides, more))


def _begun(config: StudyConfig) -> tuple[Deciding, Execution]:
    """The study as far as its finished steps show what belongs to it."""
    plan, steps = _checked_steps(config)
    parallel = config.parallel or plan.budget.parallel or room_for_cells(steps)
    deciding = Deciding(plan, steps, parallel)
    execution = Execution(
        deciding.first_steps,
        mirror.place(config.workdir).resolve(),
        parallel=parallel,
        retries=plan.budget.retries,
        only=config.only or None,
        grow=deciding.next_steps if plan.looks else None,
    )
    execution.catch_up()
    return deciding, execution


def _forget_stale(execution: Execution) -> str:
    """A refusal is reported with what the study came to, not in its place."""
    try:
        return f"removed {forget_stale_outputs(execution)} outputs of former settings"
    except UserError as refusal:
        return str(refusal)


def list_steps(config: StudyConfig) -> ListedStudy:
    """The steps and their commands, for a scheduler."""
    mirror.here(config.workdir)
    config = with_intervals(config)
    deciding, execution = _begun(config)
    if execution.grow is not None:
        print(
            "these are the steps known so far: more may follow once they are done, so list them"
            " again then",
            file=sys.stderr,
        )
    steps = [state.step for state in execution.states.values()]
    return listed(deciding.plan, steps, config.plan, config.workdir, config.overrides)


def _execute(
    plan: plan_module.Plan, execution: Execution, display: Display, progress: ProgressFile
) -> None:
    """`study.json` has one writer at a time: who makes the report, which reads it."""

    def stop(number: int, frame: FrameType | None) -> None:
        signals.say("stopping: running cells save first; the same command continues")
        execution.stop()

    try:
        execution.workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--workdir={execution.workdir}: {error.strerror}") from error
    makes_report = any(state.step.kind == "report" for state in execution.asked)
    with contextlib.ExitStack() as stack:
        if makes_report:
            stack.enter_context(WorkdirLock(execution.workdir))
            files.remove_temporaries(execution.workdir / study_file.NAME)
        stack.enter_context(signals.handled(stop))
        stack.callback(display.close)
        writers = [StudyFile(plan).update, progress.update] if makes_report else []
        execution.on_change = [*writers, display.show]
        execution.run()
        if makes_report:
            hyperparameters.write(execution.workdir, execution.states.values())


def _result(execution: Execution, deciding: Deciding) -> StudyResult:
    failed, page = {}, None
    for state in execution.asked:
        if state.status == "failed":
            failed[state.step.step_id] = state.message
        if state.step.kind == "report" and state.fingerprint and state.output:
            page = state.output / "index.html"
    stopped = any(not state.over for state in execution.asked)
    return StudyResult(page, failed, stopped, "" if execution.only else deciding.ended_by)


def closing_words(config: StudyConfig) -> list[str]:
    """The answer of a study that has a report."""
    from fed_pretrain.reporting import closing_words as words

    return words.closing_words(mirror.place(config.workdir).resolve() / study_file.NAME)


def _checked_steps(config: StudyConfig) -> tuple[plan_module.Plan, list[Step]]:
    document = plan_module.read(config.plan, config.overrides)
    plugins.load(document.value.get("plugins", ()))
    plan_checks.check_words(document, words())
    plan = plan_module.build(document)
    steps = expand(plan)
    first = deciding_module.first_steps(plan, steps)
    asked = [step for step in steps if step.step_id in config.only] if config.only else first
    flag_check.check(asked, document, plan.tuning)
    plan_checks.check_random_starts(document)
    fit_check.check(asked, steps, document)
    return plan, steps


def room_for_cells(steps: Sequence[Step]) -> int:
    """How many cells fit at once: a run uses two cores well, one of a small model a single one."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    by_memory = int(memory // MEMORY_PER_CELL)
    small = all(_is_small(step) for step in steps if step.kind == "train")
    by_cores = (os.cpu_count() or 1) // (1 if small else CORES_PER_CELL)
    return max(1, min(by_cores, by_memory))


def _is_small(step: Step) -> bool:
    from fed_pretrain.models import known_models
    from fed_pretrain.tasks import known_tasks

    model = step.flags.get("model")
    choice = known_tasks.get(step.flags["task"]).choice(model)
    name = choice.name if choice is not None else model
    return name in known_models.names() and known_models.get(name).small


def describe(deciding: Deciding, execution: Execution, time_left: TimeLeft) -> str:
    """The plan in words: what will run, what is there already, how long it may take."""
    plan = deciding.plan
    states = execution.asked
    counts = Counter(state.step.kind for state in states)
    done = sum(state.status == "skipped" for state in states)
    already = f"; {done} of the {len(states)} are done already" if done else ""
    lines = [f"{plan.title}  ({plan.name})", plan.question]
    lines += [f"  reduced: {reduction}" for reduction in plan.reductions]
    lines.append(f"  steps: {_numbers(counts)}{already}")
    if plan.looks and not execution.only:
        most = _numbers(Counter(step.kind for step in deciding.steps))
        lines.append(
            f"  seeds: judged after {', '.join(map(str, plan.looks))}; they are added where claims"
            f" are open, in all at most {most}"
        )
    trains = [state.step for state in states if state.step.kind == "train"]
    for name in plan.tasks:
        runs = [step.coordinates for step in trains if step.coordinates["task"] == name]
        lines += _grid(name, runs)
    rounds = sum(int(step.flags.get("rounds", 0)) for step in trains)
    lines.append(f"  federated rounds: {rounds:,}")
    estimate = _estimate(deciding, states, time_left)
    lines.append(f"  estimate: {estimate}{_most(deciding, execution)}")
    return "\n".join(lines)


def _grid(task: str, runs: Sequence[Mapping[str, Json]]) -> list[str]:
    """What the runs of a task are products of: a line for a partition and starts run alike."""
    alike: dict[tuple[Json, ...], set[tuple[Json, ...]]] = {}
    for run in runs:
        rest = tuple(value for axis, value in run.items() if axis not in ("start", "rates"))
        alike.setdefault((run["partition"], "rates" in run, run["start"]), set()).add(rest)
    lines = []
    for place, rests in dict.fromkeys((key[:2], frozenset(rests)) for key, rests in alike.items()):
        partition, crossed = place
        same = {key[2] for key, those in alike.items() if (key[:2], those) == (place, rests)}
        own = [
            run
            for run in runs
            if (run["partition"], "rates" in run) == place and run["start"] in same
        ]
        axes = [axis for axis in own[0] if axis not in ("task", "partition")]
        values = {axis: list(dict.fromkeys(str(run[axis]) for run in own)) for axis in axes}
        product = " x ".join(f"{axis} {', '.join(named)}" for axis, named in values.items())
        where = f"{task} ({partition})" if partition else task
        where += " at another start's rates" if crossed else ""
        lines.append(f"  {where}: {len(own)} runs: {product}")
    return lines


def _numbers(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in counts.items())


def _most(deciding: Deciding, execution: Execution) -> str:
    """What the seeds that may be added would take."""
    plan, known = deciding.plan, execution.states
    if not plan.looks or execution.only or execution.grow is None:
        return ""
    if plan.budget.minutes:
        return f"; no seeds are added that would go beyond {plan.budget.minutes:g} minutes in all"
    later = sum(step.step_id not in known for step in deciding.steps)
    took = [s.seconds for s in known.values() if s.over and s.step.kind in ("train", "analyze")]
    if not took:
        return "; at most about " + f"{len(deciding.steps) / len(known):.1f} times as long"
    seconds = later * sum(took) / len(took) / execution.parallel
    return f"; at most about {duration(seconds)} more for seeds that are added"


def _estimate(deciding: Deciding, states: Sequence[StepState], time_left: TimeLeft) -> str:
    done = [state for state in states if state.over]
    if len(done) == len(states):
        return "nothing is left to do"
    seconds = time_left.seconds(states) if done else None
    if seconds is not None:
        return f"about {duration(seconds)} for what is left, from what is done here"
    if time_left.planned_seconds is not None:
        most = "at most " if deciding.plan.looks else ""
        return f"planned for {most}{time_left.planned_seconds / 60:g} minutes on two cores"
    return "unknown until the first steps are done"


def words() -> plan_module.KnownWords:
    """The rates, the tasks and the report's parts that a plan may name."""
    from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
    from fed_pretrain.experiment.assembly.run_config import ProbeConfig
    from fed_pretrain.reporting import known_sections
    from fed_pretrain.reporting.claims import ledger
    from fed_pretrain.tasks import known_tasks

    return plan_module.KnownWords(
        rates=[field.name for field in fields(AlgorithmConfig) if field.type is float],
        tasks=known_tasks.names(),
        claims={claim.key: claim.probe for claim in ledger.CLAIMS},
        probes=ProbeConfig().probes,
        sections=known_sections.names(),
    )
