"""From a plan to its steps: the product of tasks, partitions, starts, algorithms, sweeps, seeds."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pipelines.plan.document import Place
from pipelines.plan.plan import AnalysisPlan, Budget, Flags, Plan, TaskPlan
from pipelines.plan.plan_checks import PRETRAINED, PRETRAINED_FILES
from pipelines.plan.steps import Input, Step


@dataclass(frozen=True)
class Layer:
    """Flags, and the section of the plan that sets them; a later layer wins over an earlier one."""

    place: Place
    flags: Flags


@dataclass(frozen=True)
class Cell:
    """One run of the grid: where it stands and the layers of flags that make it."""

    coordinates: Mapping[str, Any]
    layers: tuple[Layer, ...]

    @property
    def place(self) -> str:
        return "/".join(str(value) for value in self.coordinates.values() if value != "")


def expand(plan: Plan) -> list[Step]:
    """All steps of the plan, inputs before their readers."""
    steps: dict[str, Step] = {}
    for task_name, task in plan.tasks.items():
        for step in _task_steps(plan, task_name, task):
            steps[step.step_id] = step
    steps["report"] = _report(plan, list(steps.values()))
    return [_with_plugins(plan, step) for step in steps.values()]


def _with_plugins(plan: Plan, step: Step) -> Step:
    """Every program imports the plan's plugins."""
    if not plan.plugins:
        return step
    return replace(step, flags={**step.flags, "plugin": ",".join(plan.plugins)})


def _merged(layers: Iterable[Layer]) -> dict[str, Any]:
    return {name: value for layer in layers for name, value in layer.flags.items()}


def _step(layers: Sequence[Layer], **others: Any) -> Step:
    origins = {name: (*layer.place, name) for layer in layers for name in layer.flags}
    return Step(flags=_merged(layers), origins=origins, **others)


def _task_steps(plan: Plan, task_name: str, task: TaskPlan) -> Iterator[Step]:
    for partition in task.partitions:
        yield from _prepare(task_name, task, partition)
    for name, flags in task.pretrain.items():
        yield _pretrain(task_name, task, name, flags)
    for partition, start, algorithm in itertools.product(
        task.partitions, task.starts, plan.algorithms
    ):
        tune = _tune(plan, task_name, task, partition, start, algorithm)
        if tune is not None:
            yield tune
        for cell in _cells(plan, task_name, task, partition, start, algorithm):
            yield _train(plan, cell, tune)
    yield from _analyses(plan, task_name, task)


def _dataset_layers(task_name: str, task: TaskPlan, partition: str) -> list[Layer]:
    return [
        Layer(("tasks", task_name, "dataset"), task.dataset),
        Layer(("tasks", task_name, "partitions", partition), task.partitions[partition]),
    ]


def _dataset(task_name: str, task: TaskPlan, partition: str) -> list[Layer]:
    """The step that prepares the data, the user's own folder, or nothing (the task's default)."""
    for layer in reversed(_dataset_layers(task_name, task, partition)):
        if "path" in layer.flags:
            return [Layer((*layer.place, "path"), {"dataset": str(layer.flags["path"])})]
    if not _merged(_dataset_layers(task_name, task, partition)):
        return []
    prepared = Input(_prepare_id(task_name, partition))
    return [Layer(("tasks", task_name, "dataset"), {"dataset": prepared})]


def _prepare_id(task_name: str, partition: str) -> str:
    return "/".join(filter(None, ("prepare", task_name, partition)))


def _prepare(task_name: str, task: TaskPlan, partition: str) -> Iterator[Step]:
    layers = _dataset_layers(task_name, task, partition)
    flags = _merged(layers)
    if flags and "path" not in flags:
        yield _step(
            layers,
            step_id=_prepare_id(task_name, partition),
            kind="prepare",
            module="data_prep.prepare",
            output_flag="output",
            coordinates={"task": task_name, "partition": partition},
            affinity="data_prep.prepare",
        )


def _pretrain(task_name: str, task: TaskPlan, name: str, flags: Flags) -> Step:
    """Central pre-training on proxy data; without its own dataset it uses the first partition's."""
    layers = [
        Layer(("tasks", task_name), {"task": task.task}),
        Layer(("tasks", task_name, "pretrain", name), flags),
    ]
    if "dataset" not in flags and _merged(layers)["task"] == task.task:
        layers += _dataset(task_name, task, next(iter(task.partitions)))
    return _step(
        layers,
        step_id=f"pretrain/{task_name}/{name}",
        kind="pretrain",
        module="fed_pretrain.pretrain",
        output_flag="workdir",
        coordinates={"task": task_name, "pretrain": name},
        affinity=f"fed_pretrain.pretrain/{task_name}",
    )


def _base(plan: Plan, task_name: str, task: TaskPlan, partition: str, start: str) -> list[Layer]:
    """The layers that every use of a start shares."""
    place = ("tasks", task_name)
    layers = [
        Layer(place, {"task": task.task}),
        Layer(("settings",), plan.settings),
        Layer((*place, "settings"), task.settings),
        Layer((*place, "starts", start), task.starts[start]),
        *_dataset(task_name, task, partition),
    ]
    merged = _merged(layers)
    for flag, file in PRETRAINED_FILES.items():
        value = str(merged.get(flag, ""))
        if value.startswith(PRETRAINED):
            made = Input(f"pretrain/{task_name}/{value.removeprefix(PRETRAINED)}", file)
            layers.append(Layer((*place, "starts", start), {flag: made}))
    return layers


def _cells(
    plan: Plan, task_name: str, task: TaskPlan, partition: str, start: str, algorithm: str
) -> Iterator[Cell]:
    layers = [
        *_base(plan, task_name, task, partition, start),
        Layer(("algorithms", algorithm), plan.algorithms[algorithm]),
        *(
            Layer(("tasks", task_name, "rates", key), task.rates.get(key, {}))
            for key in (start, f"{start}/{algorithm}")
        ),
    ]
    for point in itertools.product(*(axis.items() for axis in plan.sweep.values())):
        swept = [
            Layer(("sweep", axis, value), flags)
            for axis, (value, flags) in zip(plan.sweep, point, strict=True)
        ]
        for seed in plan.seeds:
            coordinates = {
                "task": task_name,
                "partition": partition,
                "start": start,
                "algorithm": algorithm,
                **{axis: value for axis, (value, _) in zip(plan.sweep, point, strict=True)},
                "seed": seed,
            }
            yield Cell(coordinates, (*layers, *swept, Layer(("seeds",), {"seed": seed})))


def _tune(
    plan: Plan, task_name: str, task: TaskPlan, partition: str, start: str, algorithm: str
) -> Step | None:
    """Rates are tuned per (algorithm, task, start), as the papers did, never per seed."""
    if plan.tuning is None:
        return None
    tuning = plan.tuning
    candidates = ";".join(
        f"{name}=" + ",".join(f"{rate:g}" for rate in rates) for name, rates in tuning.rates.items()
    )
    asked = {
        "rates": candidates,
        "search": tuning.search,
        "trials": tuning.trials,
        "tuning_rounds": tuning.rounds,
        "halvings": tuning.halvings,
        "seed": tuning.seed,
    }
    place = "/".join(filter(None, (task_name, partition, start, algorithm)))
    return _step(
        [
            *_base(plan, task_name, task, partition, start),
            Layer(("algorithms", algorithm), plan.algorithms[algorithm]),
            Layer(("tuning", "settings"), tuning.settings),
            Layer(("tuning",), asked),
        ],
        step_id=f"tune/{place}",
        kind="tune",
        module="pipelines.tune",
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
    tuned = {"flagfile": Input(tune.step_id, "rates.flags")} if tune is not None else {}
    return _step(
        [Layer(("tuning",), tuned), *cell.layers],
        step_id=f"train/{cell.place}",
        kind="train",
        module="fed_pretrain.train",
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
        coordinates = {
            "analysis": name,
            "task": task_name,
            "partition": partition,
            "start": start,
            "seed": seed,
        }
        layers = [
            *_base(plan, task_name, task, partition, start),
            Layer(("analyze", name, "settings"), analysis.settings),
            Layer(("seeds",), {"seed": seed}),
        ]
        yield _analyze(coordinates, layers, ())


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
                other = Cell({**cell.coordinates, "partition": analysis.beside}, cell.layers)
                runs["other_run"] = Input(f"train/{other.place}")
            coordinates = {"analysis": name, **cell.coordinates}
            needs = tuple(run.step_id for run in runs.values())
            place = ("analyze", name)
            layers = [Layer(place, runs), Layer((*place, "settings"), analysis.settings)]
            yield _analyze(coordinates, layers, needs)


def _analyze(
    coordinates: Mapping[str, Any], layers: Sequence[Layer], needs: tuple[str, ...]
) -> Step:
    place = "/".join(str(value) for value in coordinates.values() if value != "")
    return _step(
        layers,
        step_id=f"analyze/{place}",
        kind="analyze",
        module="fed_pretrain.analyze",
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
        # Its words: another title or claim is another report of the same runs.
        content=json.dumps(asdict(replace(plan, budget=Budget())), sort_keys=True),
    )
