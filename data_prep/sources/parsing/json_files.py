"""A reader for JSON documents bigger than memory: walks down to values of bearable size."""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from data_prep.sources.items import BadRecord
from data_prep.sources.parsing import compressed, fields
from data_prep.sources.work_units import WorkUnit, file_units, input_files
from groundwork.errors import UserError
from groundwork.untyped import Json

_JSON = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_CHUNK = 1 << 20
_CUT = 16
"""So near the end of what is here, a word, a number or an escape may be cut off."""
LONGEST_VALUE = 64 << 20


class MalformedJson(Exception):
    """The document is not JSON, or ends too early; says where."""


class JsonStream:
    """Pulls a document apart: `members`, `value` and `skip` each consume what is next."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._before = self._longest = 0
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

    def value(self) -> Json:
        """The next value, parsed."""
        self._next()
        wanted = min(2 * self._longest, LONGEST_VALUE)
        while len(self._text) - self._at < wanted and self._more():
            pass  # A value that is cut off would be parsed twice.
        while True:
            try:
                value, end = _JSON.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                cut = self._is_cut(error)
                if cut and self._more():
                    continue
                why = "the document ends too early" if cut else f"malformed JSON ({error})"
                raise self._wrong(why) from error
            # A number may go on behind the end of what is here.
            if end + _CUT < len(self._text) or not self._more():
                self._longest = max(self._longest, end - self._at)
                self._at = end
                return value

    def _is_cut(self, error: Exception) -> bool:
        """Whether more of the document may mend it."""
        if not isinstance(error, json.JSONDecodeError):
            return False
        return error.msg.startswith("Unterminated") or error.pos + _CUT > len(self._text)

    def finish(self) -> None:
        """Refuses anything that follows the document."""
        if self._next():
            raise self._wrong("text follows the end of the JSON document")

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


class User(NamedTuple):
    path: str
    id: str
    x: list[Json]
    y: list[Json]


class Example(NamedTuple):
    user: User
    number: int

    @property
    def pair(self) -> tuple[Json, Json]:
        return self.user.x[self.number], self.user.y[self.number]

    def bad(self, error: fields.BadField) -> BadRecord:
        detail = f"user {self.user.id!r}, example {self.number + 1}: {error}"
        return BadRecord(error.reason, self.user.path, None, detail)


def split_units(pattern: str) -> tuple[WorkUnit, ...]:
    """One unit a JSON file; the split is the folder that names one (train, val, test).

    LEAF's data folder keeps all_data/ beside train/ and test/, with the same users again:
    where there are files with a split, the others are left alone.
    """
    files = [file for file in input_files(pattern) if compressed.stem(file).endswith(".json")]
    if not files:
        raise UserError(f"--input={pattern}: no .json file there")
    splits = {file: split for file in files if (split := _split(file))}
    return tuple(file_units(sorted(splits) or files, split=splits))


def _split(file: Path) -> str | None:
    folders = reversed(file.parts[:-1])
    return next((fields.SPLITS[name] for name in folders if name in fields.SPLITS), None)


def examples(path: str) -> Iterator[Example | BadRecord]:
    """The examples of one file's users in file order, holding one user at a time."""
    for user in _users(path):
        if isinstance(user, BadRecord):
            yield user
        else:
            yield from (Example(user, number) for number in range(len(user.x)))


def _users(path: str) -> Iterator[User | BadRecord]:
    seen: set[str] = set()
    found = False
    with compressed.open_bytes(path) as file:
        stream = JsonStream(file)
        try:
            for key in stream.members():
                if key != "user_data":
                    stream.value()
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
    return User(path, user, x, y)
