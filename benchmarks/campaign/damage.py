"""Flipped bits in what a command reads or has made, and disks that are full."""

import contextlib
import errno
import math
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.campaign import commands, outcome
from benchmarks.campaign.commands import FINISHED, OUTPUT, REFUSED, Command
from benchmarks.campaign.crash_states import Recorder
from benchmarks.campaign.trial import LOST, SAME, Row, emptied, judge, restored
from data_prep.inspection import verification
from data_prep.store.reader import open_dataset
from groundwork import array_file
from groundwork.errors import UserError

_PAGE = 4096  # A size of less than one page means no limit.
_SYNCED = 30
"""Files that a command brings to the disk, about; beyond them nothing is refused."""
_Disk = contextlib.AbstractContextManager[Callable[[int], None]]
_NOT_READ = ("lock", "tensorboard")


def flips_in_outputs(row: Row, folder: Path, times: int, command: Command) -> None:
    """One bit of one file of a run, finished or interrupted; then the same command."""
    place = folder / "place"
    whole = _reference(row, command, place)
    finished = Path(shutil.copytree(place, folder / "finished"))
    with Recorder(emptied(place)) as counted:
        commands.run(command, place)
    halfway = emptied(folder / "halfway")
    with Recorder(emptied(place), counted.operations * 2 // 3, halfway):
        commands.run(command, place)
    while row.tried < times and not row.time_is_up:
        state = row.random.choice([finished, halfway])
        name = _flip(row, restored(state, place))
        end = commands.run(command, place)
        row.note(f"in a {state.name} run")
        if end.kind == FINISHED and _reader_refuses(place, outcome.of(place), whole):
            row.count(REFUSED, f"{name}: its reader refuses it")
        else:
            judge(row, f"a bit of {name} in a {state.name} run", end, place, whole)


def _reader_refuses(place: Path, found: dict[str, str], whole: dict[str, str]) -> bool:
    """A kept checkpoint that the finished run does not need: nothing can be read from it."""
    differing = outcome.differences(found, whole)
    damaged = [place / name for name in differing]
    if not damaged or any(path.suffix != ".ckpt" or not path.exists() for path in damaged):
        return False
    for path in damaged:
        try:
            array_file.load(path)
        except UserError:
            continue
        return False
    return True


def flips_in_datasets(row: Row, folder: Path, times: int) -> None:
    """One bit of one file of a dataset; then every client is read, and `verify` looks at it."""
    place = emptied(folder / "place")
    end = commands.run(commands.PREPARE, place)
    if end.kind != FINISHED:
        raise SystemExit(f"{row.name}: the command fails by itself: {end.words}")
    dataset = place / OUTPUT
    kept = Path(shutil.copytree(dataset, folder / "kept"))
    whole = _everything(dataset)
    while row.tried < times and not row.time_is_up:
        name = _flip(row, restored(kept, dataset))
        if not verification.verify(str(dataset)):
            row.note("not seen by verify")
        try:
            read = _everything(dataset)
        except UserError as error:
            row.count(REFUSED, str(error))
        else:
            row.count(SAME if read == whole else LOST, f"a bit of {name} was read")


def _everything(dataset: Path) -> list[tuple[str, str, list[bytes]]]:
    opened = open_dataset(dataset)
    return [
        (split, client, opened.read_records(split, client))
        for split in opened.splits
        for client in opened.index(split).client_ids
    ]


def _reference(row: Row, command: Command, place: Path) -> dict[str, str]:
    end = commands.run(command, emptied(place))
    if end.kind != FINISHED:
        raise SystemExit(f"{row.name}: the command fails by itself: {end.words}")
    return outcome.of(place)


def _flip(row: Row, folder: Path) -> str:
    """Files are chosen by name, not by size: a small manifest is worth as much as a large shard."""
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.stat().st_size
        and not set(path.relative_to(folder).parts) & set(_NOT_READ)
    ]
    path = row.random.choice(paths)
    content = bytearray(path.read_bytes())
    content[row.random.randrange(len(content))] ^= 1 << row.random.randrange(8)
    path.write_bytes(content)
    return path.relative_to(folder).as_posix()


def full_disks(row: Row, folder: Path, times: int, command: Command) -> None:
    """The disk fills at a random size; with room again the same command goes on."""
    place = folder / "place"
    whole = _reference(row, command, place)
    used = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    largest = max(path.stat().st_size for path in place.rglob("*") if path.is_file())
    ways: list[tuple[str, Callable[[], _Disk], int, int]] = [
        ("with files that may not grow", _short_files, 1, largest),
        ("over a quota", _quota, 1, _SYNCED),
    ]
    if _may_mount(folder):
        ways.append(("on a full disk", lambda: _tmpfs(place), used // 50, used))
    while row.tried < times and not row.time_is_up:
        how, disk, low, high = row.random.choice(ways)
        limit = row.random.randint(low, high)
        emptied(place)
        with disk() as resize:
            resize(limit)
            first = commands.run(command, place)
            resize(0)
            row.note(how)
            told = first.kind in (FINISHED, REFUSED)
            end = commands.run(command, place) if told else first
            judge(row, f"{how}, {limit}", end, place, whole)


@contextlib.contextmanager
def _tmpfs(place: Path) -> Iterator[Callable[[int], None]]:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True)

    def resize(limit: int) -> None:
        size = f"size={max(limit, _PAGE) if limit else 1 << 30}"
        subprocess.run(["mount", "-o", f"remount,{size}", str(place)], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


@contextlib.contextmanager
def _short_files() -> Iterator[Callable[[int], None]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def resize(limit: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit or soft, hard))

    try:
        yield resize
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def _quota() -> Iterator[Callable[[int], None]]:
    """Root has none, so it is played: a file beyond the limit cannot be brought to the disk."""
    real, left = os.fsync, math.inf

    def fsync(file: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        real(file)

    def resize(limit: int) -> None:
        nonlocal left
        left = limit or math.inf

    os.fsync = fsync  # type: ignore[assignment]
    try:
        yield resize
    finally:
        os.fsync = real


def _may_mount(folder: Path) -> bool:
    if os.getuid() != 0:
        return False
    try:
        with _tmpfs(emptied(folder / "mounted")):
            return True
    except (OSError, subprocess.SubprocessError):
        return False
