"""Random changes to the bytes of a file, and what came of reading them."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.grouping.reading import TooManyBadRecords
from groundwork.errors import UserError
from tests.hostile.bounds import bounded
from tests.hostile.readers import Reader

KINDS = ("flip", "put", "cut", "insert", "repeat", "word")
_WORD = re.compile(rb"-?\d+(?:\.\d+)?|\w+")
_WORDS = (
    *(b"-1", b"0", b"1e999", b"nan", b"9" * 20, b"9" * 5000, b"2147483648", b"0.5", b"null"),
    *(b"true", b"[]", b"{}", b'""', b"../../x", b"\xff\xfe", b"\\ud800", b""),
    *(b"[" * 2000, b"[" * 700 + b"]" * 700),
)


class Change(NamedTuple):
    kind: str
    place: float
    more: bytes


Place = tuple[str, int]


def changed(content: bytes, changes: Sequence[Change]) -> bytes:
    for kind, place, more in changes:
        at = int(place * len(content))
        if kind == "flip" and content:
            content = content[:at] + bytes([content[at] ^ (more[0] or 1)]) + content[at + 1 :]
        elif kind == "put":
            content = content[:at] + more + content[at + len(more) :]
        elif kind == "cut":
            content = content[:at]
        elif kind == "insert":
            content = content[:at] + more + content[at:]
        elif kind == "repeat":
            content = content[:at] + content[at : at + 40] * (1 + more[0] % 50) + content[at:]
        elif found := _WORD.search(content, at):
            word = _WORDS[more[0] % len(_WORDS)]
            content = content[: found.start()] + word + content[found.end() :]
    return content


def random_changes(generator: np.random.Generator) -> Iterator[Change]:
    for _ in range(int(generator.integers(1, 5))):
        kind = KINDS[int(generator.integers(len(KINDS)))]
        size = int(generator.integers(1, 10))
        more = generator.bytes(size) if generator.random() < 0.7 else b"\xff" * size
        yield Change(kind, float(generator.random()), more)


def tried(reader: Reader, content: bytes) -> tuple[Place, ...]:
    """Reads it, or is refused in a sentence; returns the lines of code that refused it."""
    try:
        with tempfile.TemporaryDirectory() as folder, bounded(megabytes=1500, seconds=60):
            reader.read(content, Path(folder))
    except (UserError, TooManyBadRecords) as refusal:
        sentence = str(refusal)
        assert "\n" not in sentence, sentence
        assert len(sentence) < 2000
        return tuple(_places(refusal))
    return ()


def _places(error: BaseException | None) -> Iterator[Place]:
    while error is not None:
        step = error.__traceback__
        while step is not None:
            yield step.tb_frame.f_code.co_filename, step.tb_lineno
            step = step.tb_next
        error = error.__context__
