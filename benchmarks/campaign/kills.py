"""Kills: some by SIGKILL at a random time, others by what it leaves at a random file operation."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.campaign import commands, outcome
from benchmarks.campaign.commands import FINISHED, Command, End
from benchmarks.campaign.crash_states import Recorder
from benchmarks.campaign.trial import Row, Run, emptied, judge, restored

_SIGKILL_SHARE = 20
_BY_SIGNAL = "by SIGKILL"
_AGAIN = 0.3
Start = Callable[[Path], int]


def command(row: Row, folder: Path, times: int, killed: Command) -> None:
    """A command that runs in this process, once it has been killed as its own process."""

    def fork(place: Path) -> int:
        child = os.fork()
        if child == 0:
            os.setsid()
            end = commands.run(killed, place)
            (place.parent / "end").write_text(end.words)
            os._exit(_CODES.index(end.kind))
        return child

    def run(place: Path) -> End:
        return commands.run(killed, place)

    campaign(row, folder, times, run, fork)


_CODES = (FINISHED, commands.BROKE, commands.REFUSED)  # as the programs end


def campaign(row: Row, folder: Path, times: int, run: Run, start: Start) -> None:
    """`start` begins the command as a process that may be killed; `run` runs it here."""
    wanted = min(times, math.ceil(times / _SIGKILL_SHARE)) - row.notes.get(_BY_SIGNAL, 0)
    whole, lasts = _whole(row, folder, start)
    for _ in range(2 * wanted):
        if wanted > 0 and not row.time_is_up:
            wanted -= _by_signal(row, folder, start, whole, lasts)
    place = folder / "place"
    with Recorder(emptied(place)) as counted:
        run(place)
    differing = outcome.differences(outcome.of(place), whole)
    if differing:
        raise SystemExit(f"{row.name}: two runs differ by themselves: {differing}")
    print(f"{row.name}: {counted.operations} file operations", flush=True)
    while row.tried < times and not row.time_is_up:
        _one_state(row, folder, run, whole, counted.operations)


def _whole(row: Row, folder: Path, start: Start) -> tuple[dict[str, str], float]:
    """What a process makes that is let live, and how long it takes."""
    place = emptied(folder / "place")
    began = time.monotonic()
    end = _end_of(start(place), place)
    if end.kind != FINISHED:
        raise SystemExit(f"{row.name}: the command fails by itself: {end.words}")
    return outcome.of(place), time.monotonic() - began


def _by_signal(row: Row, folder: Path, start: Start, whole: dict[str, str], lasts: float) -> bool:
    """Kills a process and lets another go on; false where it had ended before."""
    place = emptied(folder / "place")
    process = start(place)
    after = row.random.uniform(0, lasts)
    time.sleep(after)
    if not _kill(process):
        return False
    row.note(_BY_SIGNAL)
    judge(row, f"SIGKILL after {after:.2f} s", _end_of(start(place), place), place, whole)
    return True


def _end_of(process: int, place: Path) -> End:
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    words = place.parent / "end"
    known = 0 <= code < len(_CODES)
    told = words.read_text() if words.exists() else f"exit code {code}: see the log"
    return End(_CODES[code] if known else commands.BROKE, told)


def _one_state(row: Row, folder: Path, run: Run, whole: dict[str, str], operations: int) -> None:
    """Interrupts the command, sometimes its repetition as well, and lets it go on to its end."""
    place, copy = folder / "place", emptied(folder / "state")
    number = row.random.randint(1, operations)
    torn = row.random if row.random.random() < 0.5 else None
    with Recorder(emptied(place), number, copy, torn) as first:
        run(place)
    how = f"operation {number}{' torn' if torn else ''}"
    if not first.taken:
        return
    if row.random.random() < _AGAIN:
        again = row.random.randint(1, operations)
        second_copy = emptied(folder / "second_state")
        with Recorder(restored(copy, place), again, second_copy, torn) as second:
            run(place)
        if second.taken:
            how += f", then operation {again}"
            copy = second_copy
            row.note("killed twice")
    row.note("at a file operation")
    judge(row, how, run(restored(copy, place)), place, whole)


def _kill(process: int) -> bool:
    """With all its children; true unless it had ended before."""
    children = []
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(process).children(recursive=True)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    psutil.wait_procs(children, timeout=60)  # what ends with its parent may still be saving
    return os.WIFSIGNALED(status)


def spawn(arguments: list[str], log: Path) -> int:
    """A program as a user starts it."""
    with open(log, "ab") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    started.returncode = 0  # It is waited for by its number.
    return started.pid
