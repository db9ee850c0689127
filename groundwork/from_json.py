"""JSON that somebody else may have written: a value, or a sentence that says why it is none."""

import json
from collections.abc import Callable
from pathlib import Path

from groundwork.errors import UserError
from groundwork.untyped import Json

_DEEPEST = 200
_LONGEST = 256 << 20


class NotJson(UserError, ValueError):
    """A ValueError for those who name the flag, and a sentence where nobody does."""


def text(content: str | bytes, object_hook: Callable[[Json], Json] | None = None) -> Json:
    """The value that a text holds; any ValueError is for the caller to place."""
    try:
        value = json.loads(content, object_hook=object_hook)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    # Most texts hold too few brackets for that.
    brackets = content.count("[") + content.count("{") if isinstance(content, str) else len(content)
    if brackets > _DEEPEST and isinstance(value, (dict, list)) and _is_deep(value):
        raise ValueError("it is nested too deep")
    return value


def _is_deep(value: Json) -> bool:
    """Whether who walks through it by recursion might not come back."""
    level = [value]
    for _ in range(_DEEPEST):
        held = (one.values() if isinstance(one, dict) else one for one in level)
        level = [part for parts in held for part in parts if isinstance(part, (dict, list))]
        if not level:
            return False
    return True


def file(path: Path) -> Json:
    """The value that a file of UTF-8 holds."""
    try:
        with open(path, encoding="utf-8") as opened:
            content = opened.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST >> 20} MiB")
        return text(content)
    except ValueError as error:
        raise NotJson(f"{path}: is not JSON ({error})") from error


def lines(path: Path) -> list[Json]:
    """The value of every line of a file of UTF-8."""
    values = []
    with open(path, encoding="utf-8") as opened:
        for number, line in enumerate(opened, start=1):
            try:
                values.append(text(line))
            except ValueError as error:
                raise NotJson(f"{path}, line {number}: is not JSON ({error})") from error
    return values


def record(path: Path) -> dict[str, Json]:
    """The object that a file of UTF-8 holds."""
    value = file(path)
    if not isinstance(value, dict):
        raise NotJson(f"{path}: is not a JSON object")
    return value
