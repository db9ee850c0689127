"""A plan: the declarative description of a study, read from YAML and checked.

A plan names tasks, starts, algorithms, partitions, sweeps and seeds; `expansion` turns their
product into steps. Mistakes are told with the line and the nearest right key.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from data_prep.errors import UserError
from pipelines.plan_schema import PLAN_SCHEMA

Flags = Mapping[str, Any]
PLANS_FOLDER = Path(__file__).parent / "plans"


@dataclass(frozen=True)
class TaskPlan:
    task: str
    dataset: Flags
    partitions: Mapping[str, Flags]
    settings: Flags
    starts: Mapping[str, Flags]
    pretrain: Mapping[str, Flags]
    rates: Mapping[str, Flags]


@dataclass(frozen=True)
class TuningPlan:
    rates: Mapping[str, Sequence[float]]
    trials: int
    rounds: int
    search: str = "grid"
    halvings: int = 0
    seed: int = 0
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
class Words:
    """What a plan may name; a word that is none of these is refused with the nearest one."""

    flags: Sequence[str]
    tasks: Sequence[str]
    claims: Sequence[str]
    sections: Sequence[str]


@dataclass(frozen=True)
class Plan:
    name: str
    title: str
    question: str
    origin: str
    reductions: tuple[str, ...]
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


def shipped() -> list[str]:
    """Names of the plans that come with the package."""
    return sorted(path.stem for path in PLANS_FOLDER.glob("*.yaml"))


def load(name_or_path: str, overrides: Sequence[str] = (), words: Words | None = None) -> Plan:
    """Reads a shipped plan by name or a file by path, applies `key.path=value` overrides."""
    path = _locate(name_or_path)
    try:
        document = _Document(path, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--plan: cannot read {path} ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"--plan: {path} is not UTF-8 text") from error
    for override in overrides:
        document.override(override)
    document.check()
    if words is not None:
        document.check_words(words)
    return _build(document.value)


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


def nearest(word: str, words: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


class _Document:
    """A YAML mapping that remembers the line of every key."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._lines: dict[tuple[Any, ...], int] = {}
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            self.value: Any = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or str(error)
            raise UserError(f"{path}{where}: not YAML ({problem})") from error
        self._index(node, ())

    def _index(self, node: Any, place: tuple[Any, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key_node, child in node.value:
                key = yaml.safe_load(yaml.serialize(key_node))
                if (*place, key) in self._lines:
                    line = key_node.start_mark.line + 1
                    raise UserError(f"{self.path}, line {line}: {key!r} is given twice")
                self._lines[(*place, key)] = key_node.start_mark.line + 1
                self._index(child, (*place, key))
        elif isinstance(node, yaml.SequenceNode):
            for number, child in enumerate(node.value):
                self._lines[(*place, number)] = child.start_mark.line + 1
                self._index(child, (*place, number))

    def override(self, text: str) -> None:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"--set: {text!r} is not of the form key.path=value")
        target = self.value if isinstance(self.value, dict) else {}
        *parents, last = name.split(".")
        for key in parents:
            if not isinstance(target, dict) or not isinstance(target.get(key), dict):
                known = list(map(str, target)) if isinstance(target, dict) else []
                raise UserError(f"--set {text}: no section {key!r}{nearest(key, known)}")
            target = target[key]
        try:
            target[last] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"--set {text}: the value is not YAML") from error

    def check(self) -> None:
        errors = jsonschema.Draft202012Validator(PLAN_SCHEMA).iter_errors(self.value)
        first = min(errors, key=_plainest_first, default=None)
        if first is not None:
            raise UserError(self._sentence(first))
        self._check_references()

    def check_words(self, words: Words) -> None:
        """Refuses flags, tasks, claims and sections that do not exist, with their line."""
        for place in self._flag_places():
            for name in self._at(place):
                self._check_word((*place, name), "flag", str(name), words.flags)
        for name, task in self.value["tasks"].items():
            self._check_word(("tasks", name, "task"), "task", task["task"], words.tasks)
        for key, known in (("claims", words.claims), ("sections", words.sections)):
            for number, word in enumerate(self.value.get(key, [])):
                self._check_word((key, number), key.removesuffix("s"), word, known)

    def _flag_places(self) -> Iterator[tuple[Any, ...]]:
        """Where a plan sets flags of `train`."""
        yield ("settings",)
        yield ("tuning", "settings")
        for name, task in self.value["tasks"].items():
            yield ("tasks", name, "settings")
            for part in ("starts", "rates"):
                yield from (("tasks", name, part, key) for key in task.get(part, {}))
        yield from (("algorithms", key) for key in self.value["algorithms"])
        for axis, points in self.value.get("sweep", {}).items():
            yield from (("sweep", axis, key) for key in points)

    def _at(self, place: tuple[Any, ...]) -> Mapping[Any, Any]:
        value = self.value
        for key in place:
            value = value.get(key, {})
        return value

    def _check_word(
        self, place: tuple[Any, ...], kind: str, word: str, known: Sequence[str]
    ) -> None:
        if word not in known:
            where = ".".join(map(str, place[:-1]))
            hint = nearest(word, known)
            raise UserError(
                f"{self.path}{self._line(place)}: {where}: no {kind} is named {word!r}{hint}"
            )

    def _sentence(self, error: jsonschema.ValidationError) -> str:
        place = tuple(error.absolute_path)
        if error.validator == "additionalProperties" and isinstance(error.instance, dict):
            known = list(error.schema.get("properties", {}))
            if known:
                unknown = next(key for key in error.instance if key not in known)
                line = self._line((*place, unknown))
                return f"{self.path}{line}: unknown key {unknown!r}{nearest(str(unknown), known)}"
        name = ".".join(map(str, place)) or "the plan"
        return f"{self.path}{self._line(place)}: {name}: {error.message}"

    def _line(self, place: tuple[Any, ...]) -> str:
        while place:
            if place in self._lines:
                return f", line {self._lines[place]}"
            place = place[:-1]
        return ""

    def _check_references(self) -> None:
        algorithms = list(self.value["algorithms"])
        for name, analysis in self.value.get("analyze", {}).items():
            for key, known in (("algorithms", algorithms), ("tasks", list(self.value["tasks"]))):
                for number, word in enumerate(analysis.get(key, [])):
                    if word not in known:
                        line = self._line(("analyze", name, key, number))
                        hint = nearest(word, known)
                        raise UserError(f"{self.path}{line}: {key}: unknown {word!r}{hint}")
            self._check_beside(name, analysis)
        for name, task in self.value["tasks"].items():
            self._check_rates(name, task, algorithms)
            self._check_pretrained_starts(name, task)

    def _check_beside(self, name: str, analysis: Any) -> None:
        beside, tasks = analysis.get("beside"), self.value["tasks"]
        if beside is None:
            return
        line = self._line(("analyze", name, "beside"))
        if analysis.get("of", "start") != "run":
            raise UserError(f"{self.path}{line}: beside compares runs: write `of: run`")
        for task in analysis.get("tasks", tasks):
            known = list(tasks[task].get("partitions", {}))
            if beside not in known:
                hint = nearest(beside, known)
                raise UserError(
                    f"{self.path}{line}: task {task!r} has no partition {beside!r}{hint}"
                )

    def _check_rates(self, name: str, task: Any, algorithms: Sequence[str]) -> None:
        """A rates key is START or START/ALGORITHM."""
        for key in task.get("rates", {}):
            start, _, algorithm = str(key).partition("/")
            line = self._line(("tasks", name, "rates", key))
            if start not in task["starts"]:
                hint = nearest(start, list(task["starts"]))
                raise UserError(f"{self.path}{line}: rates name an unknown start {start!r}{hint}")
            if algorithm and algorithm not in algorithms:
                hint = nearest(algorithm, algorithms)
                raise UserError(
                    f"{self.path}{line}: rates name an unknown algorithm {algorithm!r}{hint}"
                )

    def _check_pretrained_starts(self, name: str, task: Any) -> None:
        known = list(task.get("pretrain", {}))
        for start, flags in task["starts"].items():
            value = str(flags.get("start", ""))
            if value.startswith("pretrained:") and value.removeprefix("pretrained:") not in known:
                line = self._line(("tasks", name, "starts", start))
                hint = nearest(value.removeprefix("pretrained:"), known)
                raise UserError(f"{self.path}{line}: {value!r} has no pretrain section{hint}")


def _plainest_first(error: jsonschema.ValidationError) -> tuple[bool, list[str]]:
    """A misspelt key also makes the right one missing: tell the misspelling."""
    misspelt = error.validator == "additionalProperties"
    return not misspelt, list(map(str, error.absolute_path))


def _build(value: Mapping[str, Any]) -> Plan:
    tuning = value.get("tuning")
    return Plan(
        name=value["name"],
        title=value["title"],
        question=value["question"],
        origin=value.get("origin", ""),
        reductions=tuple(value.get("reductions", ())),
        settings=value.get("settings", {}),
        tasks={name: _task(task) for name, task in value["tasks"].items()},
        algorithms=_text_keys(value["algorithms"]),
        sweep={axis: _text_keys(points) for axis, points in value.get("sweep", {}).items()},
        seeds=tuple(value.get("seeds", (0,))),
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


def _task(value: Mapping[str, Any]) -> TaskPlan:
    return TaskPlan(
        task=value["task"],
        dataset=value.get("dataset", {}),
        partitions=_text_keys(value.get("partitions", {"": {}})),
        settings=value.get("settings", {}),
        starts=_text_keys(value["starts"]),
        pretrain=_text_keys(value.get("pretrain", {})),
        rates=_text_keys(value.get("rates", {})),
    )


def _text_keys(value: Mapping[Any, Any]) -> dict[str, Any]:
    """YAML reads `1:` as a number; every name of a plan is text."""
    return {str(key): flags for key, flags in value.items()}
