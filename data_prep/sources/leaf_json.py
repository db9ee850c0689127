"""LEAF's JSON files, {"users", "num_samples", "user_data": {id: {"x", "y"}}}, user by user."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from data_prep.errors import UserError
from data_prep.sources import compressed
from data_prep.sources.base import BadRecord, WorkUnit, file_units, input_files
from data_prep.sources.json_stream import JsonStream, MalformedJson

SPLIT_OF_FOLDER = {
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}


class User(NamedTuple):
    id: str
    x: list[Any]
    y: list[Any]


def split_units(pattern: str) -> list[WorkUnit]:
    """One unit a JSON file; the split is the folder that names one (train, val, test).

    LEAF's data folder keeps all_data/ beside train/ and test/, with the same users again:
    where there are files with a split, the others are left alone.
    """
    files = [file for file in input_files(pattern) if compressed.stem(file).endswith(".json")]
    if not files:
        raise UserError(f"--input={pattern}: no .json file there")
    splits = {file: split for file in files if (split := _split(file))}
    return file_units(sorted(splits) or files, split=splits)


def splits_of(units: Iterable[WorkUnit]) -> tuple[str, ...]:
    return tuple(sorted({unit.split for unit in units if unit.split}))


def _split(file: Path) -> str | None:
    for folder in reversed(file.parts[:-1]):
        if folder in SPLIT_OF_FOLDER:
            return SPLIT_OF_FOLDER[folder]
    return None


def users(path: str) -> Iterator[User | BadRecord]:
    """The users of one file in file order, holding one at a time."""
    seen: set[str] = set()
    found = False
    with compressed.open_bytes(path) as file:
        stream = JsonStream(file)
        try:
            for key in stream.members():
                if key != "user_data":
                    stream.skip()
                    continue
                found = True
                for user in stream.members():
                    yield _user(path, user, stream.value(), seen)
            stream.finish()
        except MalformedJson as error:
            yield BadRecord("malformed_json", path, None, str(error))
            return
        except compressed.TruncatedArchive as error:
            yield BadRecord("truncated_archive", path, None, str(error))
            return
    if not found:
        yield BadRecord("missing_field", path, None, "the field 'user_data' is missing")


def _user(path: str, user: str, content: Any, seen: set[str]) -> User | BadRecord:
    if user in seen:
        return BadRecord("duplicate_client", path, None, f"user {user!r} stands there twice")
    seen.add(user)
    if not isinstance(content, dict) or "x" not in content or "y" not in content:
        return BadRecord("missing_field", path, None, f"user {user!r} has no x and y")
    x, y = content["x"], content["y"]
    if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y):
        return BadRecord("wrong_type", path, None, f"user {user!r}: x and y differ in length")
    return User(user, x, y)
