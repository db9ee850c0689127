"""One row of the table: what was tried, and what came of it."""

import dataclasses
import json
import random
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.campaign import outcome
from benchmarks.campaign.commands import FINISHED, REFUSED, End
from groundwork import files

SAME, LOST = "same", "lost"
_SHOWN = 20


@dataclasses.dataclass
class Row:
    """What was found so far; written to `file` after every trial, so that the next command adds.

    counts: trials by verdict.
    made: by which commands, on which machines, at which commits.
    """

    name: str
    file: Path
    random: random.Random
    deadline: float
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    notes: dict[str, int] = dataclasses.field(default_factory=dict)
    refusals: list[str] = dataclasses.field(default_factory=list)
    losses: list[str] = dataclasses.field(default_factory=list)
    made: list[dict[str, str]] = dataclasses.field(default_factory=list)

    @classmethod
    def go_on(cls, file: Path, seed: int, deadline: float, maker: dict[str, str]) -> "Row":
        """Adds to what earlier commands found, by other trials than theirs."""
        row = cls(file.stem, file, random.Random(), deadline)
        if file.exists():
            row = dataclasses.replace(row, **json.loads(file.read_text(encoding="utf-8")))
        row.random.seed(f"{seed} {row.name} {row.tried}")
        if maker not in row.made:
            row.made.append(maker)
        return row

    @property
    def tried(self) -> int:
        return sum(self.counts.values())

    @property
    def time_is_up(self) -> bool:
        return time.monotonic() > self.deadline

    def note(self, what: str) -> None:
        """Counts how a trial was made."""
        self.notes[what] = self.notes.get(what, 0) + 1

    def count(self, verdict: str, words: str = "") -> None:
        self.counts[verdict] = self.counts.get(verdict, 0) + 1
        if verdict == REFUSED and len(self.refusals) < _SHOWN:
            self.refusals.append(words)
        if verdict == LOST:
            self.losses.append(words)
            print(f"{self.name}: LOST: {words}", file=sys.stderr, flush=True)
        self.write()

    def write(self) -> None:
        found = ("name", "counts", "notes", "refusals", "losses", "made")
        files.write_json(self.file, {field: getattr(self, field) for field in found})


def judge(row: Row, how: str, end: End, place: Path, whole: Mapping[str, str]) -> None:
    """After the last attempt: the bytes of an undisturbed run, a sentence, or a loss."""
    if end.kind == REFUSED:
        row.count(REFUSED, end.words)
    elif end.kind != FINISHED:
        row.count(LOST, f"{how}: {end.words}")
    else:
        differing = outcome.differences(outcome.of(place), dict(whole))
        left = outcome.leftovers(place)
        if differing or left:
            row.count(LOST, f"{how}: other bytes in {differing[:5]}, left over {left[:5]}")
        else:
            row.count(SAME)


def emptied(place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def restored(state: Path, place: Path) -> Path:
    """The state in the place where it was recorded: a command is given again, not another one."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(state, place, symlinks=True)
    return place


Run = Callable[[Path], End]
