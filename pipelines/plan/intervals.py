"""Data that comes by intervals, a partition for each, and starts that go on from another run."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from data_prep.sources import interval
from groundwork import from_json
from groundwork.errors import UserError, nearest
from groundwork.untyped import Json
from pipelines.plan.document import Document

KEY = "intervals"
CONTINUE = "continue_from"
_PLACE = "{interval}"
SCHEMA: dict[str, Json] = {
    "type": "array",
    "minItems": 1,
    "uniqueItems": True,
    "items": {"type": "string"},
}

Flags = Mapping[str, Json]


def of(plan: Mapping[str, Json]) -> tuple[str, ...]:
    """In the order of time."""
    return tuple(sorted(plan.get(KEY, ())))


def partitions(dataset: Flags, known: Sequence[str]) -> dict[str, Flags]:
    """Each interval prepares its own data; `{interval}` in a flag of the dataset is its name."""
    named = {name: str(value) for name, value in dataset.items() if _PLACE in str(value)}
    return {
        one: {"interval": one} | {name: text.replace(_PLACE, one) for name, text in named.items()}
        for one in known
    }


def continued(starts: Mapping[str, Flags]) -> dict[str, str]:
    return {name: str(flags[CONTINUE]) for name, flags in starts.items() if CONTINUE in flags}


def without_key(starts: Mapping[str, Flags]) -> dict[str, Flags]:
    return {
        name: {key: value for key, value in flags.items() if key != CONTINUE}
        for name, flags in starts.items()
    }


def override(study_file: Path, plan: Mapping[str, Json], given: Iterable[str]) -> str | None:
    """The plan's intervals, those of the study so far and those given, as an override."""
    if KEY not in plan:
        if tuple(given):
            raise UserError("--interval is for a plan with `intervals`, the first ones of its data")
        return None
    try:
        before = from_json.record(study_file)["plan"].get(KEY, ())
    except (OSError, ValueError, KeyError, AttributeError):
        before = ()
    return f"{KEY}={json.dumps(sorted({*plan[KEY], *before, *given}))}"


def check(document: Document) -> None:
    known = document.value.get(KEY, [])
    for number, one in enumerate(known):
        try:
            interval.bounds(one)
        except UserError as error:
            raise UserError(f"{document.where((KEY, number))}: {error}") from None
    for name, task in document.value["tasks"].items():
        place = ("tasks", name)
        if known and "partitions" in task:
            where = document.where((*place, "partitions"))
            raise UserError(
                f"{where}: a plan with `intervals` has one partition for each: put its"
                " settings into `dataset`"
            )
        for start, source in continued(task["starts"]).items():
            where = document.where((*place, "starts", start, CONTINUE))
            others = [other for other in task["starts"] if other != start]
            if source not in others:
                raise UserError(
                    f"{where}: {CONTINUE} names the start whose run comes first:"
                    f" {source!r} is none of the task's others{nearest(source, others)}"
                )
            if not known and source in list(task["starts"])[list(task["starts"]).index(start) :]:
                raise UserError(
                    f"{where}: without `intervals`, {CONTINUE} names a start above its own"
                )
            if "start" in task["starts"][start]:
                raise UserError(f"{where}: {CONTINUE} and start are two starts: leave one out")
            if "tuning" in document.value:
                raise UserError(f"{where}: rates of {CONTINUE} cannot be tuned: give them")
