"""The `seeds` of a plan: a list, or as many as its claims need, and when it is judged."""

from collections.abc import Mapping, Sequence

from fed_pretrain.reporting.inference import looks
from groundwork.errors import UserError
from groundwork.untyped import Json
from pipelines.plan.document import Document

_LADDER = list(looks.LADDER)
_LOOK: dict[str, Json] = {"enum": _LADDER}

_LIST: dict[str, Json] = {
    "type": "array",
    "minItems": 1,
    "uniqueItems": True,
    "items": {"type": "integer"},
}
_UNTIL_DECIDED: dict[str, Json] = {
    "type": "object",
    "required": ["until"],
    "additionalProperties": False,
    "properties": {"until": {"const": "decided"}, "at_least": _LOOK, "at_most": _LOOK},
}
# One or the other, so that a mistake is reported of the one that was meant.
SCHEMA: dict[str, Json] = {
    "if": {"type": "object"},
    "then": _UNTIL_DECIDED,
    "else": _LIST,
}

Seeds = Sequence[int] | Mapping[str, Json]


def check(document: Document) -> None:
    seeds = document.value.get("seeds")
    if isinstance(seeds, dict) and not sizes(seeds):
        least, most = seeds["at_least"], seeds["at_most"]
        where = document.where(("seeds", "at_most"))
        raise UserError(f"{where}: seeds: at_most ({most}) is below at_least ({least})")


def sizes(seeds: Seeds) -> tuple[int, ...]:
    """The looks of a plan; () where it lists its seeds."""
    if not isinstance(seeds, Mapping):
        return ()
    least, most = seeds.get("at_least", _LADDER[0]), seeds.get("at_most", _LADDER[-1])
    return tuple(size for size in _LADDER if least <= size <= most)


def seeds(value: Seeds) -> tuple[int, ...]:
    """All that the plan may come to."""
    if isinstance(value, Mapping):
        return tuple(range(sizes(value)[-1]))
    return tuple(value)
