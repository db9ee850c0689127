"""JSON that somebody else may have written: a value, or a sentence that says why it is none."""

import json
from collections.abc import Callable
from pathlib import Path

from groundwork.errors import UserError
from groundwork.untyped import Json


class NotJson(UserError, ValueError):
    """A ValueError for those who name the flag, and a sentence where nobody does."""


def text(content: str | bytes, object_hook: Callable[[Json], Json] | None = None) -> Json:
    """The value that a text holds; any ValueError is for the caller to place."""
    try:
        return json.loads(content, object_hook=object_hook)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def file(path: Path) -> Json:
    """The value that a file of UTF-8 holds."""
    try:
        return text(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NotJson(f"{path}: is not JSON ({error})") from error


def lines(path: Path) -> list[Json]:
    """The value of every line of a file of UTF-8."""
    values = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
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
