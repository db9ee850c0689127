"""Lines of big text files, compressed or not, with their numbers; plain files in slices."""

import codecs
import collections
import contextlib
import csv
import dataclasses
import functools
import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from data_prep.sources.items import BadRecord
from data_prep.sources.parsing import compressed, fields
from data_prep.sources.work_units import WorkUnit, file_units, slices
from groundwork.errors import UserError
from groundwork.untyped import Feature

SLICE_BYTES = 64 << 20
LONGEST_LINE = 64 << 20
_ORDINAL_BITS = 20
_OFFSET_BITS = 43
_PART_BITS = 33
"""Of the offset, within a part of a compressed file."""
_CHUNK = 1 << 18


class Line(NamedTuple):
    unit: WorkUnit
    number: int
    """Counted from 1 within the unit; `line_number` makes it the file's."""
    offset: int
    """Grows along the file: of a whole or plain one it is where the line begins in it."""
    content: bytes

    def bad(self, error: fields.BadField) -> BadRecord:
        number = line_number(self.unit, self.number)
        return BadRecord(error.reason, self.unit.path, number, str(error))


def line_units(files: list[Path], slice_bytes: int = SLICE_BYTES) -> tuple[WorkUnit, ...]:
    """One unit a compressed file, slices of a plain one."""
    return tuple(part for unit in file_units(files) for part in line_slices(unit, slice_bytes))


def line_slices(unit: WorkUnit, size: int = SLICE_BYTES) -> Iterable[WorkUnit]:
    check_utf8(unit.path)
    whole = unit.size <= size or compressed.kind(unit.path)
    return [unit] if whole else slices(unit, unit.size, size)


def parts(unit: WorkUnit, size: int) -> list[WorkUnit]:
    """The unit cut for several workers, where its format allows it; its lines are the same."""
    whole, most = not unit.start and unit.stop is None, unit.size // size
    cuts = compressed.cuts(unit.path, -(-unit.size // most)) if whole and most > 1 else []
    borders = [0, *cuts, None]
    share = unit.size // (len(cuts) + 1)
    return [
        dataclasses.replace(unit, start=start or 0, stop=stop, size=share, part=number)
        for number, (start, stop) in enumerate(itertools.pairwise(borders))
    ]


def read_lines(unit: WorkUnit, member: str = "") -> Iterator[Line | BadRecord]:
    """The lines that begin after the unit's start and up to its stop; blank ones are left out.

    A compressed file that breaks off yields what came before, then one BadRecord.
    """
    number = 0
    base = unit.part << _PART_BITS or unit.start
    try:
        with compressed.open_part(unit.path, unit.start, unit.stop, member) as (file, length):
            # A line that began earlier, or at the very start, is of the unit before.
            read = _skip_to_line_end(file) if unit.start else 0
            while (end := length()) is None or read <= end:
                content = file.readline(LONGEST_LINE)
                if not content:
                    return
                if not (unit.start or read):
                    _refuse_utf16(unit.path, content[:_HEAD])
                number += 1
                if len(content) == LONGEST_LINE and not content.endswith(b"\n"):
                    yield BadRecord("line_too_long", unit.path, line_number(unit, number))
                    read += len(content) + _skip_to_line_end(file)
                    continue
                stripped = content.rstrip(b"\r\n")
                if not read and not unit.start:
                    stripped = stripped.removeprefix(codecs.BOM_UTF8)
                if stripped.strip():
                    yield Line(unit, number, base + read, stripped)
                read += len(content)
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
    """The file's number of the unit's `number`-th line; only then counts the lines before."""
    if not unit.start:
        return number
    before, read = 1, 0
    with (
        contextlib.suppress(compressed.TruncatedArchive),
        compressed.open_part(unit.path, 0, unit.start) as (file, length),
    ):
        while chunk := file.read1(_CHUNK):
            end = length()
            chunk = chunk if end is None else chunk[: max(0, end - read)]
            if not chunk:
                break
            before, read = before + chunk.count(b"\n"), read + len(chunk)
    return before + number


def position(unit: WorkUnit, offset: int) -> int:
    """A `Record.order` that follows the files' names, then the place in the file."""
    if unit.ordinal >= 1 << _ORDINAL_BITS or offset >= 1 << _OFFSET_BITS:
        raise UserError(f"{unit.path}: more files, or a bigger file, than can be kept in order")
    return unit.ordinal << _OFFSET_BITS | offset


LONGEST_FIELD = 64 << 20
_HEAD = 1024
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


class TableRow(NamedTuple):
    path: str
    line: Callable[[], int]
    """The file's line, counted only when asked for."""
    order: int
    values: dict[str, Feature]

    def bad(self, error: fields.BadField) -> BadRecord:
        return BadRecord(error.reason, self.path, self.line(), str(error))


def is_json(path: str) -> bool:
    return compressed.stem(path).lower().endswith(JSON_SUFFIXES)


def json_rows(unit: WorkUnit) -> Iterator[TableRow | BadRecord]:
    def row(line: Line) -> list[TableRow]:
        values = fields.json_object(line.content)
        line_of = functools.partial(line_number, unit, line.number)
        return [TableRow(unit.path, line_of, position(unit, line.offset), values)]

    return fields.items(read_lines(unit), row)


def csv_header(path: str, delimiter: str = ",") -> list[str]:
    """The column names, which must be there and differ."""
    check_utf8(path)
    with compressed.open_bytes(path) as file:
        try:
            header = next(csv.reader(_Lines(file), delimiter=delimiter, strict=True), [])
        except (csv.Error, compressed.TruncatedArchive) as error:
            raise UserError(f"{path}, line 1: no header line: {error}") from error
    if not header:
        raise UserError(f"{path} is empty: a header line with the columns' names is needed")
    if not all(map(_is_utf8, header)):
        raise UserError(f"{path}, line 1: its column names are not UTF-8")
    doubled = sorted(name for name, count in collections.Counter(header).items() if count > 1)
    if doubled:
        raise UserError(f"{path}, line 1: the column {doubled[0]!r} is there twice")
    return header


def csv_rows(unit: WorkUnit, delimiter: str = ",") -> Iterator[TableRow | BadRecord]:
    """The rows below the header; a quoted field may hold line ends, so a file is one unit."""
    csv.field_size_limit(LONGEST_FIELD)
    header = csv_header(unit.path, delimiter)
    with compressed.open_bytes(unit.path) as file:
        reader = csv.reader(_Lines(file), delimiter=delimiter, strict=True)
        next(reader)
        for order in itertools.count():
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRecord("malformed_csv", unit.path, line, str(error))
                continue
            except compressed.TruncatedArchive as error:
                yield BadRecord("truncated_archive", unit.path, line, str(error))
                return
            if row:
                yield _row(unit, header, row, line, order)


def _row(
    unit: WorkUnit, header: list[str], row: list[str], line: int, order: int
) -> TableRow | BadRecord:
    if len(row) != len(header):
        detail = f"it has {len(row)} columns, the header {len(header)}"
        return BadRecord("wrong_columns", unit.path, line, detail)
    if not all(map(_is_utf8, row)):
        return BadRecord("not_utf8", unit.path, line)
    values = dict(zip(header, row, strict=True))
    return TableRow(unit.path, lambda: line, position(unit, order), values)


class _Lines:
    """The lines of a CSV file; one that never ends is passed over, and not held in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(
            file, encoding="utf-8-sig", errors="surrogateescape", newline=""
        )

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        if len(line) < LONGEST_LINE or line.endswith("\n"):
            return line
        while (part := self._text.readline(LONGEST_LINE)) and not part.endswith("\n"):
            pass
        raise csv.Error(f"a line of more than {LONGEST_LINE >> 20} MiB")


def check_utf8(path: str) -> None:
    """Names a text of another encoding, whose every line would be wrong in its own way."""
    if compressed.kind(path) == "7z":
        return  # Its members are known to their readers only.
    with compressed.open_bytes(path) as file, contextlib.suppress(compressed.TruncatedArchive):
        _refuse_utf16(path, file.read(_HEAD))


def _refuse_utf16(path: str, head: bytes) -> None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in head:
        raise UserError(f"{path} is UTF-16 or no text: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")


def _is_utf8(value: str) -> bool:
    return value.isascii() or not any("\udc80" <= character <= "\udcff" for character in value)
