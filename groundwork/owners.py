"""A mark in the name of a temporary file that says whose it is, so that it can go with its owner.

A killed process leaves its temporary files behind. The next one finds the owner in the name and
removes what nobody alive on this machine can still be using.
"""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_MARK = re.compile(r"of-([0-9a-f]{8})-(\d+)-(\d+)")


def mark() -> str:
    """This process: its machine (since the last boot), its number, and when it began."""
    return f"of-{_machine()}-{os.getpid()}-{_began(os.getpid())}"


def is_dead(name: str) -> bool:
    """Whether the owner has ended; of another machine's, and of a name without a mark, unknown."""
    found = _MARK.search(name)
    if found is None or found[1] != _machine():
        return False
    return _began(int(found[2])) != int(found[3])


def remove_of_the_dead(paths: Iterable[Path]) -> int:
    """Removes the files and folders whose owner has ended; returns how many."""
    dead = [path for path in paths if is_dead(path.name)]
    for path in dead:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(dead)


@cache
def _machine() -> str:
    """Numbers of processes mean something in one namespace until the next boot only."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    namespace = os.stat("/proc/self/ns/pid").st_ino
    return hashlib.sha256(f"{boot}{namespace}".encode()).hexdigest()[:8]


def _began(process: int) -> int | None:
    """When a running process started, in the kernel's ticks: a pid may be used again."""
    with contextlib.suppress(OSError):
        line = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        state, *fields = line.rpartition(")")[2].split()
        return None if state in ("Z", "X") else int(fields[18])
    return None
