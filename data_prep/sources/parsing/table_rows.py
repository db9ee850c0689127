"""Lines of big text files, compressed or not, with their numbers; plain files in slices."""

import codecs
import collections
import contextlib
import csv
import dataclasses
import functools
import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from data_prep.sources.parsing import compressed, fields
from data_prep.sources.source import BadRecord, WorkUnit, file_units
from groundwork.errors import UserError
from groundwork.untyped import Feature

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
        check_utf8(unit.path)
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


LONGEST_FIELD = 64 << 20
_HEAD = 1024
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


class TableRow(NamedTuple):
    line: Callable[[], int]
    """The file's line, counted only when asked for."""
    order: int
    values: dict[str, Feature]


def is_json(path: str) -> bool:
    return compressed.stem(path).lower().endswith(JSON_SUFFIXES)


def json_rows(unit: WorkUnit) -> Iterator[TableRow | BadRecord]:
    for line in read_lines(unit):
        if isinstance(line, BadRecord):
            yield line
            continue
        try:
            values = fields.json_object(line.content)
        except fields.BadField as error:
            number = line_number(unit, line.number)
            yield BadRecord(error.reason, unit.path, number, str(error))
            continue

        line_of = functools.partial(line_number, unit, line.number)
        yield TableRow(line_of, position(unit, line.offset), values)


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
    return TableRow(lambda: line, position(unit, order), dict(zip(header, row, strict=True)))


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
        head = file.read(_HEAD)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in head:
            raise UserError(
                f"{path} is UTF-16 or no text: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
            )


def _is_utf8(value: str) -> bool:
    return value.isascii() or not any("\udc80" <= character <= "\udcff" for character in value)
