"""What can be said of a plan by reading it: its form, and whether what it names exists in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import jsonschema

from groundwork.errors import UserError, nearest
from groundwork.untyped import Json
from pipelines.plan import intervals, limits, looks
from pipelines.plan.document import Document, Place
from pipelines.tuning.search import SEARCHES


@dataclass(frozen=True)
class KnownWords:
    """What a plan may name; a word that is none of these is refused with the nearest one.

    claims: each with the probe of the runs that it reads, if any; probes: what runs have unasked.
    """

    rates: Sequence[str]
    tasks: Sequence[str]
    claims: Mapping[str, str]
    probes: str
    sections: Sequence[str]


def check(document: Document) -> None:
    """Refuses a plan of a wrong form, or one that names a part of itself that is not there."""
    errors = jsonschema.Draft202012Validator(PLAN_SCHEMA).iter_errors(document.value)
    first = min(errors, key=_plainest_first, default=None)
    if first is not None:
        raise UserError(_sentence(document, first))
    _check_analyses(document)
    limits.check(document)
    looks.check(document)
    intervals.check(document)
    algorithms = list(document.value["algorithms"])
    for name, task in document.value["tasks"].items():
        _check_datasets(document, name, task)
        _check_rates(document, name, task, algorithms)
        _check_equal_rates(document, name, task, algorithms)
        _check_pretrained(document, name, task)


def check_words(document: Document, words: KnownWords) -> None:
    """Refuses rates, tasks, claims and sections that do not exist, with their line."""
    for name, task in document.value["tasks"].items():
        _check_word(document, ("tasks", name, "task"), "task", task["task"], words.tasks)
    for name in document.at(("tuning", "rates")):
        _check_word(document, ("tuning", "rates", name), "rate", name, words.rates)
    for key, known in (("claims", tuple(words.claims)), ("sections", words.sections)):
        for number, word in enumerate(document.value.get(key, [])):
            _check_word(document, (key, number), key.removesuffix("s"), word, known)
    _check_probes(document, words)


def _check_probes(document: Document, words: KnownWords) -> None:
    """A claim about what no run measures would never be judged."""
    runs = {key: part for key, part in document.value.items() if key != "analyze"}
    lists = list(_probes_in(runs)) or [words.probes]
    asked = {probe.strip() for listed in lists for probe in listed.split(",")}
    for number, claim in enumerate(document.value.get("claims", [])):
        probe = words.claims[claim]
        if probe and probe not in asked:
            raise UserError(
                f"{document.where(('claims', number))}: claims: {claim} is judged by what the probe"
                f" {probe!r} finds in runs, which none has: add it to `probes` in their settings"
            )


def _probes_in(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "probes":
                yield str(part)
            else:
                yield from _probes_in(part)


def check_random_starts(document: Document) -> None:
    """Refuses a task without the start that the report compares the others with."""
    for name, task in document.value["tasks"].items():
        if not any(flags.get("start") == "random" for flags in task["starts"].values()):
            where = document.where(("tasks", name, "starts"))
            raise UserError(
                f"{where}: tasks.{name}.starts: none is `start: random`, with which the report"
                " compares the others: add `random: {start: random}`"
            )


def _check_word(
    document: Document, place: Place, kind: str, word: str, known: Sequence[str]
) -> None:
    if word not in known:
        where = ".".join(map(str, place[:-1]))
        hint = nearest(word, known)
        raise UserError(f"{document.where(place)}: {where}: no {kind} is named {word!r}{hint}")


def _plainest_first(error: jsonschema.ValidationError) -> tuple[bool, list[str]]:
    """A misspelt key also makes the right one missing: report the misspelling."""
    misspelt = error.validator == "additionalProperties"
    return not misspelt, list(map(str, error.absolute_path))


def _sentence(document: Document, error: jsonschema.ValidationError) -> str:
    place = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        if known:
            unknown = next(key for key in error.instance if key not in known)
            where = document.where((*place, unknown))
            return f"{where}: unknown key {unknown!r}{nearest(str(unknown), known)}"
    name = ".".join(map(str, place)) or "the plan"
    if "propertyNames" in error.absolute_schema_path:
        where = document.where((*place, error.instance))
        return (
            f"{where}: {name}: {error.instance!r:.100} cannot be the name of a folder: "
            "begin it with a letter or a digit, without slashes, in at most 80 characters"
        )
    if error.validator == "type" and error.validator_value == "array":
        wanted = f"{name.rpartition('.')[2]}=[{error.instance!s:.100}]"
        return f"{document.where(place)}: {name}: a list is wanted: {wanted}"
    message = error.message
    if len(message) > _LONGEST_WHY:
        message = f"{message[: _LONGEST_WHY // 2]} ... {message[-_LONGEST_WHY // 2 :]}"
    return f"{document.where(place)}: {name}: {message}"


def _check_analyses(document: Document) -> None:
    known_at = {key: list(document.value[key]) for key in ("algorithms", "tasks")}
    for name, analysis in document.value.get("analyze", {}).items():
        for key, known in known_at.items():
            for number, word in enumerate(analysis.get(key, [])):
                if word not in known:
                    where = document.where(("analyze", name, key, number))
                    raise UserError(f"{where}: {key}: unknown {word!r}{nearest(word, known)}")
        _check_beside(document, name, analysis)


def _check_beside(document: Document, name: str, analysis: Json) -> None:
    beside, tasks = analysis.get("beside"), document.value["tasks"]
    if beside is None:
        return
    where = document.where(("analyze", name, "beside"))
    if analysis.get("of", "start") != "run":
        raise UserError(f"{where}: beside compares runs: write `of: run`")
    for task in analysis.get("tasks", tasks):
        known = list(tasks[task].get("partitions", {}))
        if beside not in known:
            hint = nearest(beside, known)
            raise UserError(f"{where}: task {task!r} has no partition {beside!r}{hint}")


def _check_datasets(document: Document, name: str, task: Json) -> None:
    """A folder of the user's is taken as it is: a setting beside its path would do nothing."""
    places = [("dataset",), *(("partitions", key) for key in task.get("partitions", {}))]
    for place in places:
        flags = document.at(("tasks", name, *place))
        others = [key for key in flags if key not in ("path", limits.KEY)]
        if "path" in flags and others:
            other = others[0]
            where = document.where(("tasks", name, *place, other))
            raise UserError(
                f"{where}: tasks.{name}.{'.'.join(map(str, place))}: {other!r} prepares a dataset,"
                " and `path` names one that is prepared: give one of them"
            )


def _check_rates(document: Document, name: str, task: Json, algorithms: Sequence[str]) -> None:
    """A rates key is START, START/ALGORITHM or START/ALGORITHM/POINT."""
    points = [point for axis in document.at(("sweep",)).values() for point in axis]
    parts = {"start": list(task["starts"]), "algorithm": algorithms, "point of the sweep": points}
    for key in task.get("rates", {}):
        for (what, known), part in zip(parts.items(), str(key).split("/", 2), strict=False):
            if part not in known:
                where = document.where(("tasks", name, "rates", key))
                hint = nearest(part, known)
                raise UserError(f"{where}: rates name an unknown {what} {part!r}{hint}")


def _check_equal_rates(
    document: Document, name: str, task: Json, algorithms: Sequence[str]
) -> None:
    for number, algorithm in enumerate(task.get("equal_rates", [])):
        if algorithm not in algorithms:
            where = document.where(("tasks", name, "equal_rates", number))
            hint = nearest(algorithm, algorithms)
            raise UserError(f"{where}: equal_rates name an unknown algorithm {algorithm!r}{hint}")


def _check_pretrained(document: Document, name: str, task: Json) -> None:
    """`pretrained:NAME`, of a start or of --exclude_clients, is a pre-training of the task."""
    known = list(task.get("pretrain", {}))
    places = [("settings",), ("tasks", name, "settings")]
    places += [("tasks", name, "starts", start) for start in task["starts"]]
    for place in places:
        for flag in PRETRAINED_FILES:
            value = str(document.at(place).get(flag, ""))
            wanted = value.removeprefix(PRETRAINED)
            if value != wanted and wanted not in known:
                where = document.where((*place, flag))
                raise UserError(
                    f"{where}: {value!r} has no pretrain section{nearest(wanted, known)}"
                )


_LONGEST_WHY = 300
PRETRAINED = "pretrained:"
# Flags that may name a pre-training of the plan, and the file of it that each reads.
PRETRAINED_FILES = {"start": "start.ckpt", "exclude_clients": "start.ckpt.json"}

# Names become folders of the study.
_NAME: dict[str, Json] = {"pattern": r"^\w[^/\\\x00-\x1f\x7f]{0,79}$"}
_FLAGS: dict[str, Json] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
_NAMED_FLAGS: dict[str, Json] = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": _FLAGS,
}
_FOLDERS: dict[str, Json] = {**_NAMED_FLAGS, "propertyNames": _NAME}
_LIMITED: dict[str, Json] = {
    **_FOLDERS,
    "additionalProperties": {**_FLAGS, "properties": {limits.KEY: limits.SCHEMA}},
}
_PRETRAIN: dict[str, Json] = {
    **_FOLDERS,
    "additionalProperties": {
        **_FLAGS,
        "properties": {"dataset": {"anyOf": [{"type": "string"}, _FLAGS]}},
    },
}
_TASK: dict[str, Json] = {
    "type": "object",
    "required": ["task", "starts"],
    "additionalProperties": False,
    "properties": {
        "task": {"type": "string"},
        "title": {"type": "string"},
        "dataset": _FLAGS,
        "partitions": _LIMITED,
        "only": limits.SCHEMA,
        "per_seed": {"type": "array", "items": {"enum": ["dataset", "pretrain"]}},
        "settings": _FLAGS,
        "starts": _LIMITED,
        "pretrain": _PRETRAIN,
        "rates": _NAMED_FLAGS,
        "equal_rates": {"type": "array", "items": {"type": "string"}},
    },
}
_TUNING: dict[str, Json] = {
    "type": "object",
    "required": ["rates", "trials", "rounds"],
    "additionalProperties": False,
    "properties": {
        "search": {"enum": list(SEARCHES)},
        "rates": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "number", "exclusiveMinimum": 0},
            },
        },
        "trials": {"type": "integer", "minimum": 1},
        "rounds": {"type": "integer", "minimum": 1},
        "halvings": {"type": "integer", "minimum": 0},
        "seed": {"type": "integer"},
        "settings": _FLAGS,
    },
}

PLAN_SCHEMA: dict[str, Json] = {
    "type": "object",
    "required": ["name", "title", "question", "tasks", "algorithms"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
        "title": {"type": "string"},
        "question": {"type": "string"},
        "origin": {"type": "string"},
        "reductions": {"type": "array", "items": {"type": "string"}},
        "settings": _FLAGS,
        "tasks": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": _NAME,
            "additionalProperties": _TASK,
        },
        "algorithms": _FOLDERS,
        "sweep": {
            "type": "object",
            "propertyNames": _NAME,
            "additionalProperties": _FOLDERS,
        },
        "seeds": looks.SCHEMA,
        "intervals": intervals.SCHEMA,
        "tuning": _TUNING,
        "analyze": {
            "type": "object",
            "propertyNames": _NAME,
            "additionalProperties": {
                "type": "object",
                "required": ["settings"],
                "additionalProperties": False,
                "properties": {
                    "of": {"enum": ["start", "run"]},
                    "tasks": {"type": "array", "items": {"type": "string"}},
                    "algorithms": {"type": "array", "items": {"type": "string"}},
                    "beside": {"type": "string"},
                    "settings": _FLAGS,
                },
            },
        },
        "plugins": {"type": "array", "items": {"type": "string"}},
        "sections": {"type": "array", "items": {"type": "string"}},
        "claims": {"type": "array", "items": {"type": "string"}},
        "budget": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "minutes": {"type": "number", "exclusiveMinimum": 0},
                "parallel": {"type": "integer", "minimum": 0},
                "retries": {"type": "integer", "minimum": 0},
            },
        },
    },
}
