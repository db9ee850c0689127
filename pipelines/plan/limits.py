"""How much of the plan a task, a partition or a start takes part in: the `only` of a plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from groundwork.errors import UserError, nearest
from groundwork.untyped import Json
from pipelines.plan.document import Document, Place

KEY = "only"
_NAMES: dict[str, Json] = {"type": "array", "items": {"type": "string"}}

SCHEMA: dict[str, Json] = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": False,
    "properties": {
        "algorithms": {**_NAMES, "minItems": 1},
        "seeds": {"type": "array", "minItems": 1, "items": {"type": "integer"}},
        "sweep": {"type": "object", "additionalProperties": {**_NAMES, "minItems": 1}},
        "analyze": _NAMES,
    },
}

Named = TypeVar("Named")


@dataclass(frozen=True)
class Limits:
    """What is taken of the plan's algorithms, seeds, points of a sweep and analyses; None: all."""

    algorithms: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    sweep: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    analyze: tuple[str, ...] | None = None


def read(value: Mapping[str, Json]) -> Limits:
    """The limits of a section of a plan; none where it has no `only`."""
    only = value.get(KEY, {})
    return Limits(
        algorithms=_tuple(only.get("algorithms")),
        seeds=_tuple(only.get("seeds")),
        sweep={axis: tuple(map(str, points)) for axis, points in only.get("sweep", {}).items()},
        analyze=_tuple(only.get("analyze")),
    )


def _tuple(values: Sequence[Json] | None) -> tuple[Json, ...] | None:
    return None if values is None else tuple(values)


def kept(named: Mapping[str, Named], names: Sequence[str] | None) -> dict[str, Named]:
    """The entries with these names, in their own order; None keeps all."""
    return {name: value for name, value in named.items() if names is None or name in names}


def check(document: Document) -> None:
    """Refuses an `only` that names what the plan does not have."""
    known: dict[str, Sequence[str]] = {
        key: list(document.value.get(key, {})) for key in ("algorithms", "analyze", "sweep")
    }
    for place, only in _sections(document):
        for key in ("algorithms", "analyze"):
            for number, name in enumerate(only.get(key, [])):
                _refuse_unknown(document, (*place, key, number), key, name, known[key])
        for axis, points in only.get("sweep", {}).items():
            _refuse_unknown(document, (*place, "sweep", axis), "sweep", axis, known["sweep"])
            at_axis = list(document.value["sweep"][axis])
            for number, point in enumerate(points):
                _refuse_unknown(document, (*place, "sweep", axis, number), axis, point, at_axis)


def _refuse_unknown(
    document: Document, place: Place, key: str, name: str, known: Sequence[str]
) -> None:
    if name not in known:
        hint = nearest(name, known)
        where = ".".join(map(str, place[: place.index(KEY) + 1]))
        raise UserError(
            f"{document.where(place)}: {where}: the plan has no {name!r} in {key}{hint}"
        )


def _sections(document: Document) -> Iterator[tuple[Place, Mapping[str, Json]]]:
    for name, task in document.value["tasks"].items():
        yield ("tasks", name, KEY), task.get(KEY, {})
        for section in ("partitions", "starts"):
            for part, flags in task.get(section, {}).items():
                yield ("tasks", name, section, part, KEY), flags.get(KEY, {})
