"""Lines of big text files, compressed or not, with their numbers; plain files in slices."""

import codecs
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from data_prep.errors import UserError
from data_prep.sources import compressed
from data_prep.sources.base import BadRecord, WorkUnit, file_units

SLICE_BYTES = 64 << 20
LONGEST_LINE = 64 << 20
_ORDINAL_BITS = 20
_OFFSET_BITS = 43


class Line(NamedTuple):
    number: int
    """Counted from 1 within the slice; `line_number` makes it the file's."""
    offset: int
    """Where it begins in the decompressed file."""
    content: bytes


def line_units(files: list[Path], slice_bytes: int = SLICE_BYTES) -> list[WorkUnit]:
    """One unit a compressed file, slices of a plain one: only there a reader may start anywhere."""
    units = []
    for unit in file_units(files):
        if unit.size <= slice_bytes or compressed.kind(unit.path):
            units.append(unit)
            continue
        for start in range(0, unit.size, slice_bytes):
            stop = min(start + slice_bytes, unit.size)
            units.append(
                dataclasses.replace(
                    unit, id=f"{unit.id}@{start}", start=start, stop=stop, size=stop - start
                )
            )
    return units


def read_lines(unit: WorkUnit, member: str = "") -> Iterator[Line | BadRecord]:
    """The lines that begin in the unit's slice, without their ends; blank ones are left out.

    A compressed file that breaks off yields what came before, then one BadRecord.
    """
    number = 0
    try:
        with compressed.open_bytes(unit.path, max(unit.start - 1, 0), member) as file:
            offset = unit.start
            if offset:
                offset += len(file.readline()) - 1  # the end of a line that began earlier
            while unit.stop is None or offset < unit.stop:
                content = file.readline(LONGEST_LINE)
                if not content:
                    return
                number += 1
                if len(content) == LONGEST_LINE and not content.endswith(b"\n"):
                    yield BadRecord("line_too_long", unit.path, line_number(unit, number))
                    offset += len(content) + _skip_to_line_end(file)
                    continue
                stripped = content.rstrip(b"\r\n")
                if not offset:
                    stripped = stripped.removeprefix(codecs.BOM_UTF8)
                if stripped.strip():
                    yield Line(number, offset, stripped)
                offset += len(content)
    except compressed.TruncatedArchive as error:
        yield BadRecord("truncated_archive", unit.path, line_number(unit, number + 1), str(error))


def _skip_to_line_end(file: IO[bytes]) -> int:
    skipped = 0
    while part := file.readline(LONGEST_LINE):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped


def line_number(unit: WorkUnit, number: int) -> int:
    """The file's number of the slice's `number`-th line; only then counts the lines before."""
    if not unit.start:
        return number
    before = 0
    with open(unit.path, "rb") as file:
        left = unit.start
        last = b""
        while left and (chunk := file.read(min(left, 1 << 20))):
            before += chunk.count(b"\n")
            left -= len(chunk)
            last = chunk[-1:]
    # A line that began earlier and reaches into the slice belongs to the slice before.
    return before + number + (last != b"\n")


def position(unit: WorkUnit, offset: int) -> int:
    """A `Record.order` that follows the files' names, then the place in the file."""
    if unit.ordinal >= 1 << _ORDINAL_BITS or offset >= 1 << _OFFSET_BITS:
        raise UserError(f"{unit.path}: more files, or a bigger file, than can be kept in order")
    return unit.ordinal << _OFFSET_BITS | offset
