"""What identifies the input of a dataset: names, sizes and content, never folders or times."""

import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data_prep.errors import UserError
from data_prep.sources.base import WorkUnit

WHOLE_BYTES = 256 << 20
"""Files up to this size are hashed whole; of larger ones, three pieces."""
_PIECE = 4 << 20


def describe(units: Iterable[WorkUnit]) -> dict[str, Any]:
    """{"files", "bytes", "fingerprint"} of the input that the units read."""
    units = list(units)
    paths = sorted({unit.path for unit in units if unit.path and os.path.isfile(unit.path)})
    root = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    state = hashlib.sha256()
    total = 0
    for path in paths:
        size, digest = _content(path)
        total += size
        state.update(f"{Path(os.path.relpath(path, root)).as_posix()}\0{size}\0{digest}\n".encode())
    for unit in units:
        state.update(f"{unit.id}\0{unit.start}\0{unit.stop}\n".encode())
    return {"files": len(paths), "bytes": total, "fingerprint": state.hexdigest()}


def _content(path: str) -> tuple[int, str]:
    try:
        status = os.stat(path)
        return status.st_size, _hashed(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


@functools.lru_cache(maxsize=4096)
def _hashed(path: str, size: int, modified: int) -> str:
    with open(path, "rb") as file:
        if size <= WHOLE_BYTES:
            return hashlib.file_digest(file, "sha256").hexdigest()
        state = hashlib.sha256()
        for start in (0, size // 2, size - _PIECE):
            file.seek(start)
            state.update(file.read(_PIECE))
        return "pieces:" + state.hexdigest()
