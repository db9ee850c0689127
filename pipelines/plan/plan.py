"""A plan: the declarative description of a study, read from YAML and checked.

A plan names tasks, starts, algorithms, partitions, sweeps and seeds; `expansion` turns their
product into steps. Mistakes are reported with the line and the nearest right key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from groundwork import named_text
from groundwork.errors import UserError, nearest
from groundwork.untyped import Json
from pipelines.plan import intervals, limits, looks, plan_checks
from pipelines.plan.document import Document
from pipelines.plan.limits import Limits
from pipelines.plan.plan_checks import KnownWords
from pipelines.tuning.search import Search

Flags = Mapping[str, Json]
PLANS_FOLDER = Path(__file__).parent.parent / "plans"


@dataclass(frozen=True)
class TaskPlan:
    """`title` and `start_titles` are what the report calls the task and its starts.

    pretrain: its flags; a `dataset` that is a mapping is prepared for it.
    only, partitions_only, starts_only: what the task, each partition and each start takes of the
    rest of the plan.
    equal_rates: algorithms for which each start also runs at the rates of the other one.
    per_seed: what each seed has of its own, besides its runs: `dataset`, `pretrain`.
    continued: starts that go on from the final weights of another start's run, or of the interval
    before, whose first weights are that start's.
    """

    task: str
    dataset: Flags
    partitions: Mapping[str, Flags]
    settings: Flags
    starts: Mapping[str, Flags]
    pretrain: Mapping[str, Flags]
    rates: Mapping[str, Flags]
    title: str = ""
    start_titles: Mapping[str, str] = field(default_factory=dict)
    equal_rates: tuple[str, ...] = ()
    only: Limits = field(default_factory=Limits)
    partitions_only: Mapping[str, Limits] = field(default_factory=dict)
    starts_only: Mapping[str, Limits] = field(default_factory=dict)
    per_seed: tuple[str, ...] = ()
    continued: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TuningPlan(Search):
    settings: Flags = field(default_factory=dict)


@dataclass(frozen=True)
class AnalysisPlan:
    """Probes run by `analyze`: `of` a start before training, or of a finished run.

    beside: a partition whose runs are the other runs: those of the other partitions are analysed.
    """

    of: str
    tasks: tuple[str, ...]
    algorithms: tuple[str, ...]
    settings: Flags
    beside: str = ""


@dataclass(frozen=True)
class Budget:
    minutes: float | None = None
    parallel: int = 0
    retries: int = 1


@dataclass(frozen=True)
class Plan:
    """looks: after how many seeds it is judged, and may end; () where its seeds are fixed.

    `seeds` are all that it may come to. intervals: of the data, one partition each.
    """

    name: str
    title: str
    question: str
    origin: str
    reductions: tuple[str, ...]
    plugins: tuple[str, ...]
    settings: Flags
    tasks: Mapping[str, TaskPlan]
    algorithms: Mapping[str, Flags]
    sweep: Mapping[str, Mapping[str, Flags]]
    seeds: tuple[int, ...]
    tuning: TuningPlan | None
    analyze: Mapping[str, AnalysisPlan]
    sections: tuple[str, ...]
    claims: tuple[str, ...]
    budget: Budget
    looks: tuple[int, ...] = ()
    intervals: tuple[str, ...] = ()
    algorithm_titles: Mapping[str, str] = field(default_factory=dict)

    def within(self, task: str, partition: str, start: str | None = None) -> "Plan":
        """The plan as far as this partition of the task, or a start on it, takes part in it."""
        own = self.tasks[task]
        sections = [own.only, own.partitions_only[partition]]
        plan = self
        for only in sections if start is None else [*sections, own.starts_only[start]]:
            algorithms = limits.kept(plan.algorithms, only.algorithms)
            plan = replace(
                plan,
                algorithms=algorithms,
                seeds=tuple(s for s in plan.seeds if only.seeds is None or s in only.seeds),
                sweep={
                    axis: limits.kept(points, only.sweep.get(axis))
                    for axis, points in plan.sweep.items()
                },
                analyze={
                    name: replace(
                        one, algorithms=tuple(a for a in one.algorithms if a in algorithms)
                    )
                    for name, one in limits.kept(plan.analyze, only.analyze).items()
                },
            )
        return plan


def shipped() -> list[str]:
    """Names of the plans that come with the package."""
    return sorted(path.stem for path in PLANS_FOLDER.glob("*.yaml"))


def describe_shipped() -> str:
    """A line a plan, for `--plan=help`."""
    width = max(map(len, shipped()))
    lines = [f"  {name:{width}}  {load(name).title}" for name in shipped()]
    return "\n".join(["shipped plans:", *lines])


def load(name_or_path: str, overrides: Sequence[str] = (), words: KnownWords | None = None) -> Plan:
    """The plan of a shipped name or of a file, with `key.path=value` overrides; checked."""
    return build(read(name_or_path, overrides, words))


def read(
    name_or_path: str, overrides: Sequence[str] = (), words: KnownWords | None = None
) -> Document:
    """The same before it is built: it knows where each of its values was written."""
    path = _locate(name_or_path)
    document = Document(path, named_text.read("--plan", path))
    for override in overrides:
        document.override(override)
    plan_checks.check(document)
    if words is not None:
        plan_checks.check_words(document, words)
    return document


def _locate(name_or_path: str) -> Path:
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        return path
    if name_or_path in shipped():
        return PLANS_FOLDER / f"{name_or_path}.yaml"
    hint = nearest(name_or_path, shipped())
    raise UserError(
        f"--plan: no plan named {name_or_path!r}{hint}; shipped: {', '.join(shipped())}"
    )


def build(document: Document) -> Plan:
    value = document.value
    tuning = value.get("tuning")
    known = intervals.of(value)
    return Plan(
        name=value["name"],
        title=value["title"],
        question=value["question"],
        origin=value.get("origin", ""),
        reductions=tuple(value.get("reductions", ())),
        plugins=tuple(value.get("plugins", ())),
        settings=value.get("settings", {}),
        tasks={name: _task(task, known) for name, task in value["tasks"].items()},
        intervals=known,
        algorithms=_without_titles(value["algorithms"]),
        algorithm_titles=_titles(value["algorithms"]),
        sweep=value.get("sweep", {}),
        seeds=looks.seeds(value.get("seeds", (0,))),
        looks=looks.sizes(value.get("seeds", (0,))),
        tuning=TuningPlan(**{"settings": {}, **tuning}) if tuning else None,
        analyze={
            name: AnalysisPlan(
                of=analysis.get("of", "start"),
                tasks=tuple(analysis.get("tasks", value["tasks"])),
                algorithms=tuple(analysis.get("algorithms", value["algorithms"])),
                settings=analysis["settings"],
                beside=analysis.get("beside", ""),
            )
            for name, analysis in value.get("analyze", {}).items()
        },
        sections=tuple(value.get("sections", ())),
        claims=tuple(value.get("claims", ())),
        budget=Budget(**value.get("budget", {})),
    )


def _task(value: Mapping[str, Json], known: Sequence[str]) -> TaskPlan:
    partitions: Mapping[str, Flags] = value.get("partitions", {"": {}})
    if known:
        partitions = intervals.partitions(value.get("dataset", {}), known)
    return TaskPlan(
        task=value["task"],
        dataset=value.get("dataset", {}),
        partitions={name: _without(limits.KEY, flags) for name, flags in partitions.items()},
        settings=value.get("settings", {}),
        starts={
            name: _without(limits.KEY, flags)
            for name, flags in intervals.without_key(_without_titles(value["starts"])).items()
        },
        continued=intervals.continued(value["starts"]),
        pretrain=value.get("pretrain", {}),
        rates=value.get("rates", {}),
        title=value.get("title", ""),
        start_titles=_titles(value["starts"]),
        equal_rates=tuple(value.get("equal_rates", ())),
        only=limits.read(value),
        partitions_only={name: limits.read(flags) for name, flags in partitions.items()},
        starts_only={name: limits.read(flags) for name, flags in value["starts"].items()},
        per_seed=tuple(value.get("per_seed", ())),
    )


def _titles(named: Mapping[str, Flags]) -> dict[str, str]:
    return {name: str(flags["title"]) for name, flags in named.items() if "title" in flags}


def _without_titles(named: Mapping[str, Flags]) -> dict[str, Flags]:
    return {name: _without("title", flags) for name, flags in named.items()}


def _without(key: str, flags: Flags) -> Flags:
    return {name: value for name, value in flags.items() if name != key}
