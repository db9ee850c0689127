"""What can be said of a plan by reading it: its form, and whether what it names exists in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema

from data_prep.errors import UserError
from data_prep.spelling import nearest
from pipelines.document import Document, Place
from pipelines.plan_schema import PLAN_SCHEMA, PRETRAINED, PRETRAINED_FILES


@dataclass(frozen=True)
class Words:
    """What a plan may name; a word that is none of these is refused with the nearest one."""

    rates: Sequence[str]
    tasks: Sequence[str]
    claims: Sequence[str]
    sections: Sequence[str]


def check(document: Document) -> None:
    """Refuses a plan of a wrong form, or one that names a part of itself that is not there."""
    errors = jsonschema.Draft202012Validator(PLAN_SCHEMA).iter_errors(document.value)
    first = min(errors, key=_plainest_first, default=None)
    if first is not None:
        raise UserError(_sentence(document, first))
    _check_analyses(document)
    algorithms = list(document.value["algorithms"])
    for name, task in document.value["tasks"].items():
        _check_datasets(document, name, task)
        _check_rates(document, name, task, algorithms)
        _check_pretrained(document, name, task)


def check_words(document: Document, words: Words) -> None:
    """Refuses rates, tasks, claims and sections that do not exist, with their line."""
    for name, task in document.value["tasks"].items():
        # A module of the user's own may register this task.
        settings = {**document.at(("settings",)), **task.get("settings", {})}
        if "task_module" not in settings:
            _check_word(document, ("tasks", name, "task"), "task", task["task"], words.tasks)
    for name in document.at(("tuning", "rates")):
        _check_word(document, ("tuning", "rates", name), "rate", name, words.rates)
    for key, known in (("claims", words.claims), ("sections", words.sections)):
        for number, word in enumerate(document.value.get(key, [])):
            _check_word(document, (key, number), key.removesuffix("s"), word, known)


def _check_word(
    document: Document, place: Place, kind: str, word: str, known: Sequence[str]
) -> None:
    if word not in known:
        where = ".".join(map(str, place[:-1]))
        hint = nearest(word, known)
        raise UserError(f"{document.where(place)}: {where}: no {kind} is named {word!r}{hint}")


def _plainest_first(error: jsonschema.ValidationError) -> tuple[bool, list[str]]:
    """A misspelt key also makes the right one missing: tell the misspelling."""
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
    return f"{document.where(place)}: {name}: {error.message}"


def _check_analyses(document: Document) -> None:
    known_at = {key: list(document.value[key]) for key in ("algorithms", "tasks")}
    for name, analysis in document.value.get("analyze", {}).items():
        for key, known in known_at.items():
            for number, word in enumerate(analysis.get(key, [])):
                if word not in known:
                    where = document.where(("analyze", name, key, number))
                    raise UserError(f"{where}: {key}: unknown {word!r}{nearest(word, known)}")
        _check_beside(document, name, analysis)


def _check_beside(document: Document, name: str, analysis: Any) -> None:
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


def _check_datasets(document: Document, name: str, task: Any) -> None:
    """A folder of the user's is taken as it is: a setting beside its path would do nothing."""
    places = [("dataset",), *(("partitions", key) for key in task.get("partitions", {}))]
    for place in places:
        flags = document.at(("tasks", name, *place))
        if "path" in flags and len(flags) > 1:
            other = next(key for key in flags if key != "path")
            where = document.where(("tasks", name, *place, other))
            raise UserError(
                f"{where}: tasks.{name}.{'.'.join(map(str, place))}: {other!r} prepares a dataset,"
                " and `path` names one that is prepared: give one of them"
            )


def _check_rates(document: Document, name: str, task: Any, algorithms: Sequence[str]) -> None:
    """A rates key is START or START/ALGORITHM."""
    for key in task.get("rates", {}):
        start, _, algorithm = str(key).partition("/")
        where = document.where(("tasks", name, "rates", key))
        if start not in task["starts"]:
            hint = nearest(start, list(task["starts"]))
            raise UserError(f"{where}: rates name an unknown start {start!r}{hint}")
        if algorithm and algorithm not in algorithms:
            hint = nearest(algorithm, algorithms)
            raise UserError(f"{where}: rates name an unknown algorithm {algorithm!r}{hint}")


def _check_pretrained(document: Document, name: str, task: Any) -> None:
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
