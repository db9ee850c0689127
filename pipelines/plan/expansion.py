"""From a plan to its steps: the product of tasks, partitions, starts, algorithms, sweeps, seeds."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from fed_pretrain.reporting import results
from groundwork.errors import UserError
from groundwork.untyped import Json
from pipelines.plan.document import Place
from pipelines.plan.plan import Budget, Flags, Plan, TaskPlan
from pipelines.plan.plan_checks import PRETRAINED, PRETRAINED_FILES
from pipelines.plan.steps import Input, Step
from pipelines.tuning.search import trial_name


@dataclass(frozen=True)
class Layer:
    """Flags, and the section of the plan that sets them; a later layer wins over an earlier one."""

    place: Place
    flags: Flags


@dataclass(frozen=True)
class Cell:
    """One run of the grid: its place and the layers of flags that make it."""

    coordinates: Mapping[str, Json]
    layers: tuple[Layer, ...]

    @property
    def place(self) -> str:
        return _place_of(self.coordinates)


def _place_of(coordinates: Mapping[str, Json]) -> str:
    """The parts of a step's id; another start's rates are named as such."""
    parts = (
        f"rates-of-{value}" if name == "rates" else str(value)
        for name, value in coordinates.items()
        if value != ""
    )
    return "/".join(parts)


def expand(plan: Plan) -> list[Step]:
    """All steps of the plan, inputs before their readers."""
    steps: dict[str, Step] = {}
    for task_name, task in plan.tasks.items():
        for step in _task_steps(plan, task_name, task):
            for absent in sorted(step.inputs() - steps.keys()):
                raise UserError(
                    f"{step.step_id} needs {absent}, which the plan's `only` leaves out"
                )
            steps[step.step_id] = step
    steps["report"] = _report(plan, list(steps.values()))
    return [_with_plugins(plan, step) for step in steps.values()]


def of_seeds(plan: Plan, steps: Sequence[Step], taken: Mapping[tuple[str, str], int]) -> list[Step]:
    """The steps of the first seeds, their number given for each task and start, and a report.

    What several starts share is there for the one that has most.
    """
    place = {seed: number for number, seed in enumerate(plan.seeds)}

    def asked(step: Step) -> bool:
        where = step.coordinates
        if "start" not in where or "seed" not in where:
            return step.kind != "report" and "seed" not in where
        starts = (where["start"], where.get("rates") or where["start"])
        return place[where["seed"]] < min(taken[(where["task"], start)] for start in starts)

    kept = {step.step_id for step in steps if asked(step)}
    inputs = {step.step_id: step.inputs() for step in steps}
    waiting = list(kept)
    while waiting:
        fresh = inputs[waiting.pop()] - kept
        kept |= fresh
        waiting += fresh
    chosen = [step for step in steps if step.step_id in kept]
    return [*chosen, _with_plugins(plan, _report(plan, chosen))]


def _with_plugins(plan: Plan, step: Step) -> Step:
    """Every program imports the plan's plugins."""
    if not plan.plugins:
        return step
    return replace(step, flags={**step.flags, "plugin": ",".join(plan.plugins)})


def _merged(layers: Iterable[Layer]) -> dict[str, Json]:
    return {name: value for layer in layers for name, value in layer.flags.items()}


def _step(layers: Sequence[Layer], **others: Json) -> Step:
    origins = {name: (*layer.place, name) for layer in layers for name in layer.flags}
    overridden = tuple(
        (place, value)
        for layer in layers
        for name, value in layer.flags.items()
        if (place := (*layer.place, name)) != origins[name] and not isinstance(value, Input)
    )
    return Step(flags=_merged(layers), origins=origins, overridden=overridden, **others)


def _task_steps(plan: Plan, task_name: str, task: TaskPlan) -> Iterator[Step]:
    within = {partition: plan.within(task_name, partition) for partition in task.partitions}
    for partition, narrowed in within.items():
        for seed in _own_seeds("dataset", task, narrowed.seeds):
            yield from _prepare(task_name, task, partition, seed)
    for name in task.pretrain:
        yield from _pretrain(plan, task_name, task, name)
    for partition, narrowed in within.items():
        for start in task.starts:
            own = plan.within(task_name, partition, start)
            for algorithm in own.algorithms:
                trials, tune = _tune(own, task_name, task, partition, start, algorithm)
                yield from trials
                if tune is not None:
                    yield tune
                for cell in _cells(own, task_name, task, partition, start, algorithm):
                    yield _train(own, cell, tune)
        yield from _equal_rates(narrowed, task_name, task, partition)
    yield from _analyses(within, task_name, task)


def _equal_rates(plan: Plan, task_name: str, task: TaskPlan, partition: str) -> Iterator[Step]:
    """The random start at the rates of each other one, and that one at the random start's."""
    random = [start for start, flags in task.starts.items() if results.is_random(flags)]
    first = [start for start in random if task.starts[start]["start"] == "random"][:1]
    others = [start for start in task.starts if start not in random]
    crossed = [pair for a in first for b in others for pair in ((a, b), (b, a))]
    kept = {start: plan.within(task_name, partition, start).algorithms for start in task.starts}
    chosen = [name for name in plan.algorithms if name in task.equal_rates]
    for (start, rates), algorithm in itertools.product(crossed, chosen):
        if algorithm not in kept[start] or algorithm not in kept[rates]:
            continue
        _, tune = _tune(plan, task_name, task, partition, rates, algorithm)
        for cell in _cells(plan, task_name, task, partition, start, algorithm, rates):
            yield _train(plan, cell, tune)


def _own_seeds(what: str, task: TaskPlan, seeds: Sequence[int]) -> Sequence[int | None]:
    """Each seed where each has its own; otherwise None alone, which is one for all of them."""
    return seeds if what in task.per_seed else (None,)


def _own_seed(what: str, task: TaskPlan, seed: int) -> int | None:
    return seed if what in task.per_seed else None


def _dataset_layers(
    task_name: str, task: TaskPlan, partition: str, seed: int | None
) -> list[Layer]:
    return [
        Layer(("tasks", task_name, "dataset"), task.dataset),
        Layer(("tasks", task_name, "partitions", partition), task.partitions[partition]),
        *_seed_layer(task_name, seed),
    ]


def _seed_layer(task_name: str, seed: int | None) -> list[Layer]:
    place = ("tasks", task_name, "per_seed")
    return [] if seed is None else [Layer(place, {"seed": seed})]


def _dataset(task_name: str, task: TaskPlan, partition: str, seed: int) -> list[Layer]:
    """The step that prepares the data, the user's own folder, or nothing (the task's default)."""
    own = _own_seed("dataset", task, seed)
    layers = _dataset_layers(task_name, task, partition, own)
    for layer in reversed(layers):
        if "path" in layer.flags:
            return [Layer((*layer.place, "path"), {"dataset": str(layer.flags["path"])})]
    if not _merged(layers):
        return []
    prepared = Input(_place("prepare", task_name, partition, own))
    return [Layer(("tasks", task_name, "dataset"), {"dataset": prepared})]


def _place(*parts: object) -> str:
    return "/".join(str(part) for part in parts if part not in ("", None))


def _seeded(coordinates: Mapping[str, Json], seed: int | None) -> Mapping[str, Json]:
    return coordinates if seed is None else {**coordinates, "seed": seed}


def _prepare(task_name: str, task: TaskPlan, partition: str, seed: int | None) -> Iterator[Step]:
    layers = _dataset_layers(task_name, task, partition, seed)
    flags = _merged(layers)
    if flags and "path" not in flags:
        coordinates = _seeded({"task": task_name, "partition": partition}, seed)
        yield _preparation(_place("prepare", task_name, partition, seed), layers, coordinates)


def _preparation(step_id: str, layers: Sequence[Layer], coordinates: Mapping[str, Json]) -> Step:
    return _step(
        layers,
        step_id=step_id,
        kind="prepare",
        module="data_prep.prepare",
        output_flag="output",
        coordinates=coordinates,
        affinity="data_prep.prepare",
    )


def _pretrain(plan: Plan, task_name: str, task: TaskPlan, name: str) -> Iterator[Step]:
    """Central pre-training on proxy data; without its own dataset it uses the first partition's."""
    first = next(iter(task.partitions))
    place = ("tasks", task_name, "pretrain", name)
    flags = dict(task.pretrain[name])
    proxy = flags.get("dataset")
    if isinstance(proxy, Mapping):
        prepare_id = _place("prepare", task_name, name)
        coordinates = {"task": task_name, "pretrain": name}
        yield _preparation(prepare_id, [Layer((*place, "dataset"), proxy)], coordinates)
        flags["dataset"] = Input(prepare_id)
    seeds = dict.fromkeys(
        seed for partition in task.partitions for seed in plan.within(task_name, partition).seeds
    )
    for seed in _own_seeds("pretrain", task, tuple(seeds)):
        layers = [Layer(("tasks", task_name), {"task": task.task}), *_seed_layer(task_name, seed)]
        layers += [Layer(place, flags)]
        if "dataset" not in flags and _merged(layers)["task"] == task.task:
            layers += _dataset(task_name, task, first, plan.seeds[0] if seed is None else seed)
        yield _step(
            layers,
            step_id=_place("pretrain", task_name, name, seed),
            kind="pretrain",
            module="fed_pretrain.pretrain",
            output_flag="workdir",
            coordinates=_seeded({"task": task_name, "pretrain": name}, seed),
            affinity=f"fed_pretrain.pretrain/{task_name}",
        )


def _base(
    plan: Plan, task_name: str, task: TaskPlan, partition: str, start: str, seed: int
) -> list[Layer]:
    """The layers that every use of a start shares."""
    place = ("tasks", task_name)
    layers = [
        Layer(place, {"task": task.task}),
        Layer(("settings",), plan.settings),
        Layer((*place, "settings"), task.settings),
        Layer((*place, "starts", start), task.starts[start]),
        *_dataset(task_name, task, partition, seed),
    ]
    merged = _merged(layers)
    for flag, file in PRETRAINED_FILES.items():
        value = str(merged.get(flag, ""))
        if value.startswith(PRETRAINED):
            own = _own_seed("pretrain", task, seed)
            made = Input(_place("pretrain", task_name, value.removeprefix(PRETRAINED), own), file)
            layers.append(Layer((*place, "starts", start), {flag: made}))
    return layers


def _cells(
    plan: Plan,
    task_name: str,
    task: TaskPlan,
    partition: str,
    start: str,
    algorithm: str,
    rates: str = "",
) -> Iterator[Cell]:
    """`rates`: the start whose rates are taken, where these are not its own."""
    own = rates or start
    for point in itertools.product(*(axis.items() for axis in plan.sweep.values())):
        values = [value for value, _ in point]
        keys = [own, f"{own}/{algorithm}", *(f"{own}/{algorithm}/{value}" for value in values)]
        chosen = [
            Layer(("algorithms", algorithm), plan.algorithms[algorithm]),
            *(Layer(("tasks", task_name, "rates", key), task.rates.get(key, {})) for key in keys),
        ]
        swept = [
            Layer(("sweep", axis, value), flags)
            for axis, (value, flags) in zip(plan.sweep, point, strict=True)
        ]
        for seed in plan.seeds:
            coordinates: dict[str, Json] = {
                "task": task_name,
                "partition": partition,
                "start": start,
                "algorithm": algorithm,
                **{axis: value for axis, (value, _) in zip(plan.sweep, point, strict=True)},
                **({"rates": rates} if rates else {}),
                "seed": seed,
            }
            base = _base(plan, task_name, task, partition, start, seed)
            if start in task.continued:
                before = _before(task, coordinates, bool(plan.intervals))
                if before is None:
                    continue
                base.append(Layer(("tasks", task_name, "starts", start), {"start": before}))
            seeded = Layer(("seeds",), {"seed": seed})
            yield Cell(coordinates, (*base, *chosen, *swept, seeded))


def _before(task: TaskPlan, coordinates: Mapping[str, Json], by_intervals: bool) -> Input | None:
    """The final weights of the same cell from another start, or in the interval before.

    None in the first interval.
    """
    source = task.continued[coordinates["start"]]
    if not by_intervals:
        before = {name: value for name, value in coordinates.items() if name != "rates"}
        return Input(f"train/{_place_of({**before, 'start': source})}", "final.keras")
    known = list(task.partitions)
    number, start = known.index(coordinates["partition"]), coordinates["start"]
    if number == 0:
        return None
    first = source if number == 1 else start
    before = {**coordinates, "partition": known[number - 1], "start": first}
    return Input(f"train/{_place_of(before)}", "final.keras")


def _tune(
    plan: Plan, task_name: str, task: TaskPlan, partition: str, start: str, algorithm: str
) -> tuple[list[Step], Step | None]:
    """The trials, where they do not follow from each other, and the choice among them.

    Rates are tuned per (algorithm, task, start), as the papers did, never per seed. A start that
    is not trained has none.
    """
    layers = [
        *_base(plan, task_name, task, partition, start, plan.seeds[0]),
        Layer(("algorithms", algorithm), plan.algorithms[algorithm]),
    ]
    tuning = plan.tuning
    if tuning is None or _merged(layers).get("rounds") == 0:
        return [], None
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
    coordinates = {
        "task": task_name,
        "partition": partition,
        "start": start,
        "algorithm": algorithm,
    }

    def step(kind: str, step_id: str, own: Mapping[str, Json]) -> Step:
        return _step(
            [
                *layers,
                Layer(("tuning", "settings"), tuning.settings),
                Layer(("tuning",), {**asked, **own}),
            ],
            step_id=step_id,
            kind=kind,
            module="pipelines.tune",
            output_flag="workdir",
            coordinates=coordinates,
            affinity=f"pipelines.tune/{task_name}",
        )

    trials: list[Step] = []
    before: tuple[Input, ...] = ()
    for rung, size in enumerate(tuning.rung_sizes() if tuning.known_before else []):
        names = [trial_name(rung, number) for number in range(size)]
        folders = {"trial_folder": before} if before else {}
        for name in names:
            trials.append(step("trial", f"trial/{place}/{name}", {"trial": name, **folders}))
        before = tuple(Input(f"trial/{place}/{name}") for name in names)
    every = tuple(Input(trial.step_id) for trial in trials)
    chosen = {"trial_folder": every} if every else {}
    return trials, step("tune", f"tune/{place}", chosen)


def _train(plan: Plan, cell: Cell, tune: Step | None) -> Step:
    tuned = {"flagfile": Input(tune.step_id, "rates.flags")} if tune is not None else {}
    return _step(
        [Layer(("tuning",), tuned), *cell.layers],
        step_id=f"train/{cell.place}",
        kind="train",
        module="fed_pretrain.train",
        output_flag="workdir",
        coordinates=cell.coordinates,
        affinity=f"fed_pretrain.train/{cell.coordinates['task']}/{cell.coordinates['algorithm']}",
    )


def _analyses(within: Mapping[str, Plan], task_name: str, task: TaskPlan) -> Iterator[Step]:
    """`within`: the plan as each partition takes part in it."""
    for partition, plan in within.items():
        for name, analysis in plan.analyze.items():
            if task_name not in analysis.tasks:
                continue
            if analysis.of == "start":
                yield from _start_analyses(plan, task_name, task, partition, name)
            elif not analysis.beside or analysis.beside != partition:
                others = within[analysis.beside] if analysis.beside else None
                yield from _run_analyses(plan, others, task_name, task, partition, name)


def _start_analyses(
    plan: Plan, task_name: str, task: TaskPlan, partition: str, name: str
) -> Iterator[Step]:
    own = [start for start in task.starts if start not in task.continued]
    for start, seed in itertools.product(own, plan.seeds):
        if name not in plan.within(task_name, partition, start).analyze:
            continue
        coordinates = {
            "analysis": name,
            "task": task_name,
            "partition": partition,
            "start": start,
            "seed": seed,
        }
        layers = [
            *_base(plan, task_name, task, partition, start, seed),
            Layer(("analyze", name, "settings"), plan.analyze[name].settings),
            Layer(("seeds",), {"seed": seed}),
        ]
        yield _analyze(coordinates, layers, ())


def _run_analyses(
    plan: Plan, others: Plan | None, task_name: str, task: TaskPlan, partition: str, name: str
) -> Iterator[Step]:
    """`others`: the plan within the partition whose runs are beside these."""
    analysis = plan.analyze[name]
    for start, algorithm in itertools.product(task.starts, analysis.algorithms):
        kept = plan.within(task_name, partition, start)
        if name not in kept.analyze or algorithm not in kept.algorithms:
            continue
        beside = _places(others, task_name, task, analysis.beside, start, algorithm)
        for cell in _cells(plan, task_name, task, partition, start, algorithm):
            runs = {"run": Input(f"train/{cell.place}")}
            if analysis.beside:
                other = Cell({**cell.coordinates, "partition": analysis.beside}, cell.layers)
                if other.place not in beside:
                    continue
                runs["other_run"] = Input(f"train/{other.place}")
            coordinates = {"analysis": name, **cell.coordinates}
            needs = tuple(run.step_id for run in runs.values())
            place = ("analyze", name)
            layers = [Layer(place, runs), Layer((*place, "settings"), analysis.settings)]
            yield _analyze(coordinates, layers, needs)


def _places(
    plan: Plan | None, task_name: str, task: TaskPlan, partition: str, start: str, algorithm: str
) -> set[str]:
    """Of the cells that the plan has there."""
    if plan is None or algorithm not in plan.algorithms:
        return set()
    return {cell.place for cell in _cells(plan, task_name, task, partition, start, algorithm)}


def _analyze(
    coordinates: Mapping[str, Json], layers: Sequence[Layer], needs: tuple[str, ...]
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
