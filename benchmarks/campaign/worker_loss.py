"""TFF's worker is killed, cut off or stopped at a random time of a run."""

import contextlib
import signal
import threading
from pathlib import Path

import psutil

from benchmarks.campaign import commands, outcome
from benchmarks.campaign.commands import FINISHED
from benchmarks.campaign.trial import Row, emptied, judge

_COMMAND = commands.train(
    *("--algorithm=scaffold", "--executor=native", "--notensorboard", "--round_timeout=20")
)
_WAYS = ("killed", "cut off", "killed", "cut off", "stopped")


def campaign(row: Row, folder: Path, times: int) -> None:
    place = folder / "place"
    end = commands.run(_COMMAND, emptied(place))
    if end.kind != FINISHED:
        raise SystemExit(f"{row.name}: the command fails by itself: {end.words}")
    whole = outcome.of(place)
    while row.tried < times and not row.time_is_up:
        way = row.random.choice(_WAYS)
        struck = threading.Event()
        timer = threading.Timer(row.random.uniform(0, 1.5), _strike, (way, struck))
        emptied(place)
        timer.start()
        end = commands.run(_COMMAND, place)
        timer.cancel()
        timer.join()
        if not struck.is_set():
            continue
        row.note(way)
        if end.kind == commands.REFUSED:
            row.note("refused first, and went on at the next command")
            end = commands.run(_COMMAND, place)
        judge(row, f"the worker was {way}", end, place, whole)


def _strike(way: str, struck: threading.Event) -> None:
    """The relay is the worker's child; without it nothing reaches the worker's network."""
    for worker in psutil.Process().children():
        relays = worker.children()
        target = relays[0] if way == "cut off" and relays else worker
        with contextlib.suppress(psutil.Error):
            target.send_signal(signal.SIGSTOP if way == "stopped" else signal.SIGKILL)
            struck.set()
