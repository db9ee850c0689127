"""A reader for JSON documents bigger than memory: walks down to values of bearable size."""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from data_prep.sources.parsing import compressed
from data_prep.sources.source import BadRecord, WorkUnit, file_units, input_files
from groundwork.errors import UserError
from groundwork.untyped import Json

_STRUCTURE = re.compile(r'["\[\]{}]')
_STRING_END = re.compile(r'["\\]')
_SPACE = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r"[^\s,\[\]{}]*")
_CHUNK = 1 << 20
LONGEST_VALUE = 64 << 20


class MalformedJson(Exception):
    """The document is no JSON, or ends too early; says where."""


class JsonStream:
    """Pulls a document apart: `members`, `elements`, `value`, `skip` each consume what is next."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._before = 0
        self._ended = False

    def members(self) -> Iterator[str]:
        """The keys of the object that is next; take each one's value before the next key."""
        self._expect("{")
        if self._accept("}"):
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise self._wrong("an object's key is not a string")
            self._expect(":")
            yield key
            if self._accept("}"):
                return
            self._expect(",")

    def elements(self) -> Iterator[int]:
        """The positions of the array that is next; take each one's value before the next."""
        self._expect("[")
        if self._accept("]"):
            return
        position = 0
        while True:
            yield position
            position += 1
            if self._accept("]"):
                return
            self._expect(",")

    def value(self) -> Json:
        """The next value, parsed."""
        start, end = self._extent()
        content = self._text[start:end]
        self._at = end
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._wrong(f"malformed JSON ({error})") from error

    def skip(self) -> None:
        """Passes over the next value."""
        self._at = self._extent()[1]

    def finish(self) -> None:
        """Refuses anything that follows the document."""
        if self._next():
            raise self._wrong("text follows the end of the JSON document")

    def _extent(self) -> tuple[int, int]:
        first = self._next()
        start = self._at
        if first == '"':
            return start, self._string_end(start)
        if first in ("{", "["):
            return start, self._structure_end(start)
        while True:
            match = _SCALAR.match(self._text, start)
            if (match and match.end() < len(self._text)) or not self._more():
                break
        end = _SCALAR.match(self._text, start).end()  # type: ignore[union-attr]
        if end == start:
            raise self._wrong("a value is missing")
        return start, end

    def _structure_end(self, start: int) -> int:
        depth = 0
        at = start
        while True:
            match = _STRUCTURE.search(self._text, at)
            if match is None:
                at = len(self._text)
                self._need_more()
                continue
            character = match.group()
            if character == '"':
                at = self._string_end(match.start())
                continue
            depth += 1 if character in "[{" else -1
            at = match.end()
            if depth == 0:
                return at

    def _string_end(self, start: int) -> int:
        at = start + 1
        while True:
            match = _STRING_END.search(self._text, at)
            if match is None:
                at = len(self._text)
                self._need_more()
            elif match.group() == '"':
                return match.end()
            else:
                at = match.end() + 1
                while at > len(self._text):
                    self._need_more()

    def _next(self) -> str:
        self._drop_consumed()
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _accept(self, character: str) -> bool:
        if self._next() != character:
            return False
        self._at += 1
        return True

    def _expect(self, character: str) -> None:
        found = self._next()
        if found != character:
            raise self._wrong(
                f"expected {character!r}, found {found!r}"
                if found
                else "the document ends too early"
            )
        self._at += 1

    def _drop_consumed(self) -> None:
        """Only ever called between values, so positions in use stay right."""
        if self._at > _CHUNK:
            self._before += self._at
            self._text = self._text[self._at :]
            self._at = 0

    def _need_more(self) -> None:
        if not self._more():
            raise self._wrong("the document ends too early")

    def _more(self) -> bool:
        if self._ended:
            return False
        if len(self._text) - self._at > LONGEST_VALUE:
            raise self._wrong(f"a value of more than {LONGEST_VALUE >> 20} MiB")
        content = self._file.read(max(_CHUNK, len(self._text)))
        self._ended = not content
        try:
            self._text += self._decode.decode(content, final=self._ended)
        except UnicodeDecodeError as error:
            utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            raise self._wrong("it is UTF-16, not UTF-8" if utf16 else "it is not UTF-8") from error
        return not self._ended

    def _wrong(self, why: str) -> MalformedJson:
        return MalformedJson(f"{why} near character {self._before + self._at:,}")


SPLIT_OF_FOLDER = {
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}


class User(NamedTuple):
    id: str
    x: list[Json]
    y: list[Json]


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


def _user(path: str, user: str, content: Json, seen: set[str]) -> User | BadRecord:
    if user in seen:
        return BadRecord("duplicate_client", path, None, f"user {user!r} is there twice")
    seen.add(user)
    if not isinstance(content, dict) or "x" not in content or "y" not in content:
        return BadRecord("missing_field", path, None, f"user {user!r} has no x and y")
    x, y = content["x"], content["y"]
    if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y):
        return BadRecord("wrong_type", path, None, f"user {user!r}: x and y differ in length")
    return User(user, x, y)
