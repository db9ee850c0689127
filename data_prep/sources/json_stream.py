"""A reader for JSON documents bigger than memory: walks down to values of bearable size."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

_STRUCTURE = re.compile(r'["\[\]{}]')
_STRING_END = re.compile(r'["\\]')
_SPACE = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r"[^\s,\[\]{}]*")
_CHUNK = 1 << 20


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

    def value(self) -> Any:
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
        content = self._file.read(max(_CHUNK, len(self._text)))
        self._ended = not content
        try:
            self._text += self._decode.decode(content, final=self._ended)
        except UnicodeDecodeError as error:
            raise self._wrong("it is not UTF-8") from error
        return not self._ended

    def _wrong(self, why: str) -> MalformedJson:
        return MalformedJson(f"{why} near character {self._before + self._at:,}")
