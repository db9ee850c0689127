"""The files of an input, and the pieces of it that workers read."""

import dataclasses
import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from groundwork import embedded_packages
from groundwork.errors import UserError


@dataclasses.dataclass(frozen=True)
class WorkUnit:
    """A file, or a slice of one, that one worker reads from start to end.

    `id` is stable: it is made of the file's name below the input and the slice, never of the
    machine's folders. `start` and `stop` mean what the source wants (bytes, rows, table ids).
    """

    id: str
    path: str = ""
    start: int = 0
    stop: int | None = None
    size: int = 0
    """Bytes of input it stands for: progress, ETA and --dry_run."""
    examples: int | None = None
    """Examples it holds, where that is known without reading."""
    split: str | None = None
    ordinal: int = 0
    """Rank of its file among the sorted files of the input (see `Record.order`)."""
    part: int = 0
    """Which part of a compressed file that several workers read."""


def input_files(pattern: str) -> list[Path]:
    """The files `--input` names: a file, a folder (all files below it), a glob, or a comma list.

    Sorted by path, hidden files left out; refuses an input that names nothing.
    """
    found: list[Path] = []
    for part in filter(None, (piece.strip() for piece in pattern.split(","))):
        matches = (
            [Path(part)] if os.path.exists(part) else map(Path, glob.glob(part, recursive=True))
        )
        files = [file for match in sorted(matches) for file in _files_below(match)]
        if not files:
            raise UserError(f"--input={part}: no such file, and no file matches it")
        found += files
    if not found:
        raise UserError("--input is missing: name a file, a folder or a glob")
    for file in found:
        if not os.access(file, os.R_OK):
            raise UserError(f"--input: {file} cannot be read (permission denied)")
    return sorted(set(found))


def _files_below(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not any(p.startswith(".") for p in file.relative_to(path).parts)
    ]


def slices(whole: WorkUnit, end: int, step: int, first: int = 0) -> Iterator[WorkUnit]:
    """The rows or bytes of a unit from `first` up to `end`, `step` at a time."""
    for start in range(first, end, step):
        stop = min(start + step, end)
        yield dataclasses.replace(
            whole,
            id=f"{whole.id}@{start}",
            start=start,
            stop=stop,
            size=whole.size * (stop - start) // (end - first),
            examples=None if whole.examples is None else stop - start,
        )


def splits_of(units: Iterable[WorkUnit]) -> tuple[str, ...]:
    """The splits that the units carry."""
    return tuple(sorted({unit.split for unit in units if unit.split}))


def embedded_unit(package: str, examples: int) -> WorkUnit:
    """The one file of an embedded source."""
    path = embedded_packages.path(package)
    return WorkUnit(path.name, str(path), size=path.stat().st_size, examples=examples)


def file_units(files: list[Path], *, split: Mapping[Path, str] | None = None) -> list[WorkUnit]:
    """One unit a file, named by the shortest path that distinguishes the files.

    Where the names differ, ids and ordinals follow the names alone, so moving the input to another
    folder changes nothing.
    """
    root = Path(os.path.commonpath([file.parent for file in files])) if files else Path()
    names = sorted((file.relative_to(root).as_posix(), file) for file in files)
    return [
        WorkUnit(
            id=name,
            path=str(file),
            size=file.stat().st_size,
            split=(split or {}).get(file),
            ordinal=ordinal,
        )
        for ordinal, (name, file) in enumerate(names)
    ]
