"""From a plan to its steps: the product of tasks, partitions, starts, algorithms, sweeps, seeds."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.plan import AnalysisPlan, Flags, Plan, TaskPlan
from pipelines.steps import Input, Step

PRETRAINED = "pretrained:"


@dataclass(frozen=True)
class Cell:
    """One run of the grid: where it stands and the flags that make it."""

    coordinates: Mapping[str, Any]
    flags: Flags

    @property
    def place(self) -> str:
        return "/".join(str(value) for value in self.coordinates.values() if value != "")


def expand(plan: Plan) -> list[Step]:
    """All steps of the plan, inputs before their readers."""
    steps: dict[str, Step] = {}
    for task_name, task in plan.tasks.items():
        for step in _task_steps(plan, task_name, task):
            steps[step.step_id] = step
    return [*steps.values(), _report(plan, list(steps.values()))]


def _task_steps(plan: Plan, task_name: str, task: TaskPlan) -> Iterator[Step]:
    for partition in task.partitions:
        yield from _prepare(task_name, task, partition)
    for name, flags in task.pretrain.items():
        yield _pretrain(plan, task_name, task, name, flags)
    for partition, start, algorithm in itertools.product(
        task.partitions, task.starts, plan.algorithms
    ):
        tune = _tune(plan, task_name, task, partition, start, algorithm)
        if tune is not None:
            yield tune
        for cell in _cells(plan, task_name, task, partition, start, algorithm):
            yield _train(plan, cell, tune)
    yield from _analyses(plan, task_name, task)


def _dataset(task_name: str, task: TaskPlan, partition: str) -> Input | str | None:
    """The step that prepares the data, the user's own folder, or None (the task's default)."""
    flags = {**task.dataset, **task.partitions[partition]}
    if "path" in flags:
        return str(flags["path"])
    return Input(_prepare_id(task_name, partition)) if flags else None


def _prepare_id(task_name: str, partition: str) -> str:
    return "/".join(filter(None, ("prepare", task_name, partition)))


def _prepare(task_name: str, task: TaskPlan, partition: str) -> Iterator[Step]:
    flags = {**task.dataset, **task.partitions[partition]}
    if flags and "path" not in flags:
        yield Step(
            step_id=_prepare_id(task_name, partition),
            kind="prepare",
            module="data_prep.prepare",
            flags=flags,
            output_flag="output",
            coordinates={"task": task_name, "partition": partition},
            affinity="data_prep.prepare",
        )


def _pretrain(plan: Plan, task_name: str, task: TaskPlan, name: str, flags: Flags) -> Step:
    """Central pre-training on proxy data; without its own dataset it uses the first partition's."""
    own = {"task": task.task, **flags}
    if "dataset" not in own:
        dataset = _dataset(task_name, task, next(iter(task.partitions)))
        if dataset is not None and own["task"] == task.task:
            own["dataset"] = dataset
    return Step(
        step_id=f"pretrain/{task_name}/{name}",
        kind="pretrain",
        module="fed_pretrain.pretrain",
        flags=own,
        output_flag="workdir",
        coordinates={"task": task_name, "pretrain": name},
        affinity=f"fed_pretrain.pretrain/{task_name}",
    )


def _base_flags(
    plan: Plan, task_name: str, task: TaskPlan, partition: str, start: str
) -> dict[str, Any]:
    flags = {"task": task.task, **plan.settings, **task.settings, **task.starts[start]}
    dataset = _dataset(task_name, task, partition)
    if dataset is not None:
        flags["dataset"] = dataset
    value = str(flags.get("start", ""))
    if value.startswith(PRETRAINED):
        name = value.removeprefix(PRETRAINED)
        flags["start"] = Input(f"pretrain/{task_name}/{name}", "start.ckpt")
    return flags


def _cells(
    plan: Plan, task_name: str, task: TaskPlan, partition: str, start: str, algorithm: str
) -> Iterator[Cell]:
    base = _base_flags(plan, task_name, task, partition, start)
    base |= plan.algorithms[algorithm]
    base |= {**task.rates.get(start, {}), **task.rates.get(f"{start}/{algorithm}", {})}
    for point in itertools.product(*(axis.items() for axis in plan.sweep.values())):
        swept = {name: value for _, flags in point for name, value in flags.items()}
        for seed in plan.seeds:
            coordinates = {
                "task": task_name,
                "partition": partition,
                "start": start,
                "algorithm": algorithm,
                **{axis: value for axis, (value, _) in zip(plan.sweep, point, strict=True)},
                "seed": seed,
            }
            yield Cell(coordinates, {**base, **swept, "seed": seed})


def _tune(
    plan: Plan, task_name: str, task: TaskPlan, partition: str, start: str, algorithm: str
) -> Step | None:
    """Rates are tuned per (algorithm, task, start), as the papers did, never per seed."""
    if plan.tuning is None:
        return None
    tuning = plan.tuning
    base = _base_flags(plan, task_name, task, partition, start)
    base |= plan.algorithms[algorithm]
    base |= tuning.settings
    place = "/".join(filter(None, (task_name, partition, start, algorithm)))
    return Step(
        step_id=f"tune/{place}",
        kind="tune",
        module="pipelines.tune",
        flags={
            **base,
            "rates": ";".join(
                f"{name}=" + ",".join(f"{rate:g}" for rate in rates)
                for name, rates in tuning.rates.items()
            ),
            "search": tuning.search,
            "trials": tuning.trials,
            "tuning_rounds": tuning.rounds,
            "halvings": tuning.halvings,
            "seed": tuning.seed,
        },
        output_flag="workdir",
        coordinates={
            "task": task_name,
            "partition": partition,
            "start": start,
            "algorithm": algorithm,
        },
        affinity=f"pipelines.tune/{task_name}",
    )


def _train(plan: Plan, cell: Cell, tune: Step | None) -> Step:
    flags = dict(cell.flags)
    if tune is not None:
        flags = {"flagfile": Input(tune.step_id, "rates.flags"), **flags}
    return Step(
        step_id=f"train/{cell.place}",
        kind="train",
        module="fed_pretrain.train",
        flags=flags,
        output_flag="workdir",
        coordinates=cell.coordinates,
        affinity=f"fed_pretrain.train/{cell.coordinates['task']}",
    )


def _analyses(plan: Plan, task_name: str, task: TaskPlan) -> Iterator[Step]:
    for name, analysis in plan.analyze.items():
        if task_name not in analysis.tasks:
            continue
        of_start = analysis.of == "start"
        maker = _start_analyses if of_start else _run_analyses
        yield from maker(plan, task_name, task, name, analysis)


def _start_analyses(
    plan: Plan, task_name: str, task: TaskPlan, name: str, analysis: AnalysisPlan
) -> Iterator[Step]:
    for partition, start, seed in itertools.product(task.partitions, task.starts, plan.seeds):
        base = _base_flags(plan, task_name, task, partition, start)
        coordinates = {
            "analysis": name,
            "task": task_name,
            "partition": partition,
            "start": start,
            "seed": seed,
        }
        yield _analyze(coordinates, {**base, **analysis.settings, "seed": seed}, ())


def _run_analyses(
    plan: Plan, task_name: str, task: TaskPlan, name: str, analysis: AnalysisPlan
) -> Iterator[Step]:
    for partition, start, algorithm in itertools.product(
        task.partitions, task.starts, analysis.algorithms
    ):
        for cell in _cells(plan, task_name, task, partition, start, algorithm):
            if analysis.beside == partition:
                continue
            runs = {"run": Input(f"train/{cell.place}")}
            if analysis.beside:
                other = Cell({**cell.coordinates, "partition": analysis.beside}, cell.flags)
                runs["other_run"] = Input(f"train/{other.place}")
            coordinates = {"analysis": name, **cell.coordinates}
            needs = tuple(run.step_id for run in runs.values())
            yield _analyze(coordinates, {**runs, **analysis.settings}, needs)


def _analyze(coordinates: Mapping[str, Any], flags: Flags, needs: tuple[str, ...]) -> Step:
    place = "/".join(str(value) for value in coordinates.values() if value != "")
    return Step(
        step_id=f"analyze/{place}",
        kind="analyze",
        module="fed_pretrain.analyze",
        flags=flags,
        output_flag="workdir",
        needs=needs,
        coordinates=coordinates,
        affinity=f"fed_pretrain.analyze/{coordinates['task']}",
    )


def _report(plan: Plan, steps: list[Step]) -> Step:
    read = ("train", "analyze", "tune", "pretrain", "prepare")
    return Step(
        step_id="report",
        kind="report",
        module="fed_pretrain.report",
        flags={},
        output_flag="output",
        needs=tuple(step.step_id for step in steps if step.kind in read),
        affinity="fed_pretrain.report",
    )
