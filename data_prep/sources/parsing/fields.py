"""Takes typed values out of a parsed JSON object or table row."""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from data_prep.sources.items import BadRecord
from data_prep.store import features
from groundwork import from_json
from groundwork.errors import UserError
from groundwork.untyped import Feature, Json

INT64 = range(-(2**63), 2**63)
SPLITS = {"valid": "validation", "val": "validation", **{name: name for name in features.SPLITS}}
"""What the splits are called in the files and folders of the world."""


class BadField(Exception):
    """A field that is missing or of the wrong type: `reason` to count by, the message to read."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Row(Protocol):
    """What a file holds one after the other: a line, a table's row, an example of a user."""

    def bad(self, error: BadField) -> BadRecord:
        """What is wrong, and where."""


Kind = TypeVar("Kind", bound=Row)
Made = TypeVar("Made")


def items(
    rows: Iterable[Kind | BadRecord], make: Callable[[Kind], Iterable[Made]]
) -> Iterator[Made | BadRecord]:
    """What `make` gives of each row, and what is bad among them."""
    for row in rows:
        if isinstance(row, BadRecord):
            yield row
            continue
        try:
            yield from make(row)
        except BadField as error:
            yield row.bad(error)


def present(row: Mapping[str, Feature], name: str) -> Feature:
    value = row.get(name)
    if value is None:
        raise BadField("missing_field", f"the field {name!r} is missing")
    return value


def text(row: Mapping[str, Feature], name: str, default: str | None = None) -> str:
    value = row.get(name) if default is not None else present(row, name)
    if value is None:
        return default or ""
    if not isinstance(value, str):
        raise BadField("wrong_type", f"the field {name!r} is not a string but {_shown(value)}")
    return encodable(value)


def encodable(value: str) -> str:
    """Replaces lone surrogates (JSON may hold them, UTF-8 cannot) by the replacement character."""
    try:
        _ = value.isascii() or value.encode("utf-8")
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def integer(row: Mapping[str, Feature], name: str, default: int | None = None) -> int:
    value = row.get(name) if default is not None else present(row, name)
    if value is None or (value == "" and default is not None):
        return default or 0
    if isinstance(value, bool):
        raise BadField("wrong_type", f"the field {name!r} is not a whole number but {value!r}")
    try:
        if isinstance(value, float) and not value.is_integer():
            raise ValueError
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise BadField(
            "wrong_type", f"the field {name!r} is not a whole number but {_shown(value)}"
        ) from None
    if number not in INT64:
        raise BadField("wrong_type", f"the field {name!r} is too big: {_shown(value)}")
    return number


def time(row: Mapping[str, Feature], name: str) -> int:
    value = present(row, name)
    try:
        moment = seconds(value)
        if abs(moment) >= 2**36:
            raise ValueError
    except (ValueError, OverflowError):
        raise BadField("wrong_type", f"the field {name!r} is not a time: {_shown(value)}") from None
    return moment


def sizes(option: str, written: str, example: str) -> tuple[int, ...]:
    """The numbers of a source option that is written like the example: height, width, channels."""
    parts = written.split("x")
    known = all(part.isdigit() and int(part) for part in parts)
    if not known or len(parts) != len(example.split("x")):
        raise UserError(f"--source_options={option}={written}: write it like {example}")
    return tuple(map(int, parts))


def _shown(value: Feature) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def json_object(content: bytes) -> dict[str, Json]:
    """The JSON object that is a whole line."""
    try:
        value = from_json.text(content.decode("utf-8"))  # bytes would be guessed at
    except UnicodeDecodeError as error:
        raise BadField("not_utf8", str(error)) from None
    except ValueError as error:
        raise BadField("malformed_json", str(error)) from None
    if not isinstance(value, dict):
        raise BadField("malformed_json", f"expected an object {{...}}, found {_shown(value)}")
    return value


_WRITTEN = re.compile(
    r"(\d{4}-\d\d-\d\d(?:[T ][\d:.]+)?)\s*(?:UTC|GMT|(Z|[+-]\d\d:?\d\d))?", re.ASCII
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def seconds(value: object) -> int:
    """Reads 1514764800, "1514764800" and "2018-01-01T00:00:00.123Z" alike; ValueError on others."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is not a time")
    if isinstance(value, (int, float)):
        return int(value // 1)
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return int(float(text) // 1) if "." in text else int(text)
    match = _WRITTEN.fullmatch(text)
    if not match:
        raise ValueError(f"{value!r} is not a time")
    written, zone = match.groups()
    of = datetime.datetime.strptime(zone, "%z").tzinfo if zone else datetime.UTC
    return int(datetime.datetime.fromisoformat(written).replace(tzinfo=of).timestamp() // 1)
