"""Kills: some by SIGKILL at a random time, others by what it leaves at a random file operation."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.campaign import commands, outcome
from benchmarks.campaign.commands import FINISHED, Command
from benchmarks.campaign.crash_states import Recorder
from benchmarks.campaign.trial import Row, Run, emptied, judge, restored

_SIGKILL_SHARE = 10
_AGAIN = 0.3


def command(row: Row, folder: Path, times: int, killed: Command) -> None:
    """A command that runs in this process, once it has been killed as a process of its own."""

    def fork(place: Path) -> int:
        child = os.fork()
        if child == 0:
            os.setsid()
            end = commands.run(killed, place)
            os._exit(0 if end.kind == FINISHED else 1)
        return child

    def run(place: Path) -> commands.End:
        return commands.run(killed, place)

    campaign(row, folder, times, run, fork)


def campaign(row: Row, folder: Path, times: int, run: Run, start: Callable[[Path], int]) -> None:
    """`start` begins the command as a process that may be killed; `run` runs it here."""
    by_signal = min(times, max(2, times // _SIGKILL_SHARE))
    dead = _killed(row, folder, by_signal, start)
    place = emptied(folder / "place")
    end = run(place)
    if end.kind != FINISHED:
        raise SystemExit(f"{row.name}: the command fails by itself: {end.words}")
    whole = outcome.of(place)
    for state in dead:
        judge(row, f"SIGKILL {state.name}", run(restored(state, place)), place, whole)
        shutil.rmtree(state)
    with Recorder(emptied(place)) as counted:
        run(place)
    differing = outcome.differences(outcome.of(place), whole)
    if differing:
        raise SystemExit(f"{row.name}: two runs differ by themselves: {differing}")
    print(f"{row.name}: {counted.operations} file operations", flush=True)
    while row.tried < times and not row.time_is_up:
        _one_state(row, folder, run, whole, counted.operations)


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


def _killed(row: Row, folder: Path, times: int, start: Callable[[Path], int]) -> list[Path]:
    """Places as SIGKILL left them; the first process is let live, to learn how long it takes."""
    began = time.monotonic()
    _, status = os.waitpid(start(emptied(folder / "place")), 0)
    if status:
        raise SystemExit(f"{row.name}: the command fails: see {folder / 'log'}")
    lasts = time.monotonic() - began
    dead: list[Path] = []
    for _ in range(2 * times):
        if len(dead) == times or row.time_is_up:
            break
        process = start(emptied(folder / "place"))
        time.sleep(row.random.uniform(0, lasts))
        if _kill(process, row):
            row.note("by SIGKILL")
            dead.append(Path(shutil.copytree(folder / "place", folder / f"killed-{len(dead)}")))
    return dead


def _kill(process: int, row: Row) -> bool:
    """Kills it, or now and then one of its children; true unless it had ended before."""
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
