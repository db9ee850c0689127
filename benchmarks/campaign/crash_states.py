"""What kill -9 leaves on the disk, at any file operation, without the cost of dying.

What survives a killed process is the state of its files. Before each operation that changes a file
name (and before each opening of a file to write it) Python raises an audit event; there the place
is copied. The copy is what kill -9 would leave at that moment. With `torn`, the file that was being
written is cut at a random byte as well: a kill between two writes of one file.
"""

import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Recorder:
    """Counts the operations below `place`; copies it to `copy` before number `wanted`."""

    def __init__(
        self,
        place: Path,
        wanted: int = 0,
        copy: Path | None = None,
        torn: random.Random | None = None,
    ) -> None:
        self.operations = 0
        self.taken = False
        self._place, self._wanted, self._copy, self._torn = str(place), wanted, copy, torn
        self._written: tuple[str, int] = ("", 0)
        self._inside = False

    def __enter__(self) -> "Recorder":
        _install()
        _active.append(self)
        return self

    def __exit__(self, *unused: object) -> None:
        _active.remove(self)

    def meet(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._inside or not self._is_change(event, arguments):
            return
        self.operations += 1
        if self.operations == self._wanted and self._copy is not None:
            self._inside = True
            try:
                shutil.copytree(self._place, self._copy, symlinks=True, dirs_exist_ok=True)
                self._tear()
                self.taken = True
            finally:
                self._inside = False
        if event == "open":
            self._written = (_name(arguments[0]), _size(_name(arguments[0])))

    def _is_change(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, _, flags = arguments
            return bool(flags & _WRITING) and _name(path).startswith(self._place)
        if event not in _CHANGES:
            return False
        name = _name(arguments[0])
        # Below a folder that is removed as a whole, names are relative to it.
        return name.startswith(self._place) or not os.path.isabs(name)

    def _tear(self) -> None:
        name, before = self._written
        size = _size(name)
        if self._torn is None or not name or size <= before or self._copy is None:
            return
        copied = self._copy / os.path.relpath(name, self._place)
        if copied.exists():
            os.truncate(copied, self._torn.randrange(before, size))


_active: list[Recorder] = []
_installed = False


def _install() -> None:
    """An audit hook stays for the life of the process."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _active and (event == "open" or event in _CHANGES):
        for recorder in list(_active):
            recorder.meet(event, arguments)


def _name(path: Any) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else "/"


def _size(name: str) -> int:
    try:
        return os.stat(name).st_size
    except OSError:
        return 0
