"""Files that are either whole or absent: temporary name, fsync, replace."""

import collections
import contextlib
import json
import math
import os
import signal
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from groundwork.stores import mirror
from groundwork.untyped import Json

TEMPORARY_PREFIX = ".tmp-"


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Yields a binary file that takes the place of `path` when the block ends without an error."""
    path = Path(path)
    temporary = path.parent / f"{TEMPORARY_PREFIX}{path.name}-{uuid.uuid4().hex[:12]}"
    try:
        with open(temporary, "xb") as file:
            yield file
            reach("mid-write")
            file.flush()
            os.fsync(file.fileno())
        reach("before-replace")
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    mirror.written(path)


def append(path: str | os.PathLike[str], content: str) -> None:
    """Adds to a file of text, which outlives this process; `sync` makes it outlive the machine."""
    with open(path, "a", encoding="utf-8", newline="") as file:
        file.write(content)
    mirror.appended(Path(path))


def sync(path: str | os.PathLike[str]) -> None:
    """When this returns, what was written to the file or renamed in the folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: str | os.PathLike[str]) -> None:
    """Removes a file that may be gone already."""
    Path(path).unlink(missing_ok=True)
    mirror.removed(Path(path))


def remove_temporaries(path: str | os.PathLike[str]) -> None:
    """Those that killed writers of this file left; nobody may be writing it now."""
    path = Path(path)
    for left in path.parent.glob(f"{TEMPORARY_PREFIX}{path.name}-*"):
        left.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)


def write_text(path: str | os.PathLike[str], content: str) -> None:
    write_bytes(path, content.encode("utf-8"))


def json_text(value: Json) -> str:
    """`value` with sorted keys, so that equal values give equal bytes.

    NaN and the infinities are not JSON and are refused: the caller decides what null means.
    """
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n"


def write_json(path: str | os.PathLike[str], value: Json) -> None:
    """Writes `value` as `json_text` has it."""
    try:
        text = json_text(value)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    write_text(path, text)


VARIABLE = "FED_PRETRAIN_KILL_AT"
_reached: collections.Counter[str] = collections.Counter()


def reach(name: str) -> None:
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    point, _, count = wanted.rpartition(":")
    if point != name:
        return
    _reached[name] += 1
    if _reached[name] == int(count):
        os.kill(os.getpid(), signal.SIGKILL)


def defined(value: Json) -> Json:
    """The same nested value with None in place of NaN and the infinities."""
    if isinstance(value, Mapping):
        return {name: defined(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [defined(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
