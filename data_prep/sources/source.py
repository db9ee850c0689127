"""What every source gives: work units, and plain generators of records.

A source knows nothing of Beam, of partitions or of files being written. `open` looks at the input
once and returns a picklable `SourceReader`; the pipeline hands its work units to workers, and each
worker iterates `read(unit)`. Reading a unit twice must yield the same items in the same order.
"""

import dataclasses
import glob
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError
from groundwork.untyped import Feature, Json


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


class Record(NamedTuple):
    """One example.

    client_id: the natural client, or None where the source has none (then `--partition=natural`
        is refused). split: the split the source itself ships it in, or None.
    features: exactly the names of the reader's `features`: `image` as bytes or a uint8 array,
        `text` as str, numbers as int/float or arrays.
    order: sorts a client's examples (a time, a row number); a signed 64-bit integer that must not
        depend on the order in which files are listed. Ties are broken by the example's content.
    """

    client_id: str | None
    split: str | None
    features: dict[str, Feature]
    order: int = 0


class BadRecord(NamedTuple):
    """Input that could not be understood: stops the job, or is counted under --max_bad_records."""

    reason: str
    """A short name to count by, for instance "malformed_json"."""
    file: str
    line: int | None
    """Line (text) or row (tables), counted from 1; None where neither exists."""
    detail: str = ""

    def sentence(self) -> str:
        where = self.file if self.line is None else f"{self.file} line {self.line}"
        return f"{where}: {self.reason}{f': {self.detail}' if self.detail else ''}"


class Dropped(NamedTuple):
    """Well-formed input left out on purpose; counted by reason in the manifest."""

    reason: str
    examples: int = 1


Item = Record | BadRecord | Dropped


class SourceReader(Protocol):
    """A source opened on an input. Picklable.

    It may also have `client_limits` (ClientLimits), and `splits` and `natural` where these depend
    on the input or the options; they then replace the Source's.
    """

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        """The features every record has."""

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """Names of the classes of the int64 feature `label`, where there is one."""

    @property
    def extra(self) -> Mapping[str, Json]:
        """What a task must know of the data; kept in the manifest (for instance background: 0)."""

    def units(self) -> list[WorkUnit]:
        """The work units, in a deterministic order."""

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        """The unit's items, in a deterministic order."""


@dataclasses.dataclass(frozen=True)
class SourceOption:
    """A setting of one source, given as `--source_options=name=value,...`."""

    name: str
    summary: str
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Source:
    """A raw data set as the world ships it."""

    name: str
    summary: str
    open: Callable[[str, Mapping[str, str]], SourceReader]
    """(input pattern, every option with its value) -> reader; UserError on a wrong input."""
    options: tuple[SourceOption, ...] = ()
    needs_input: bool = True
    """False for the embedded sources, whose files come with a package."""
    input_summary: str = ""
    """What --input names, for the help text: "folder with data/train/*.json"."""
    prefix: bool = False
    """True where `NAME:rest` also opens it (tfds:NAME); the rest arrives as the option "name"."""
    splits: tuple[str, ...] = ()
    """The splits its records carry; empty where they carry none."""
    natural: bool = True
    """Whether its records carry client ids."""
    vocabulary: str = ""
    """What --vocabulary is for its texts where it is not given."""
    clients: int | None = None
    """How many natural clients it has, where that is known without reading."""


def resolve_options(source: Source, given: Mapping[str, str]) -> dict[str, str]:
    """Fills in the defaults and refuses unknown names and values."""
    known = {option.name: option for option in source.options}
    for name, value in given.items():
        if name not in known:
            raise UserError(
                f"--source_options: {source.name} has no option {name!r}"
                + (f" (it has {', '.join(sorted(known))})" if known else " (it has none)")
            )
        choices = known[name].choices
        if choices and value not in choices:
            raise UserError(f"--source_options: {name}={value!r} is none of {', '.join(choices)}")
    return {name: given.get(name, option.default) for name, option in known.items()}


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


class ClientLimits(NamedTuple):
    """Clients of another size are left out whole, and counted.

    The size is the number of examples; with `feature`, of those whose int64 feature of that name
    is 0 (the first chunks: that counts comments, not chunks).
    """

    minimum: int
    maximum: int
    feature: str | None = None
