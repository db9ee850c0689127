"""Whether processes that a test had ended are gone, on a machine that takes its time."""

import time
from collections.abc import Iterable

import psutil

# Only a failing test waits this long.
PATIENCE_SECONDS = 300


def runs(pid: int) -> bool:
    """Whether the process is there and not merely unreaped, as under an init that never reaps."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def still_running(pids: Iterable[int]) -> list[int]:
    """Those that have not ended after a long wait: a signal sent is not a process gone."""
    left = [pid for pid in pids if runs(pid)]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [pid for pid in left if runs(pid)]
    return left
