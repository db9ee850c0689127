"""Rows of CSV and JSON-lines files as dictionaries, each with its line."""

import csv
import functools
import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from data_prep.errors import UserError
from data_prep.sources import compressed, fields
from data_prep.sources.base import BadRecord, WorkUnit
from data_prep.sources.lines import line_number, position, read_lines

LONGEST_FIELD = 64 << 20
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


class Row(NamedTuple):
    line: Callable[[], int]
    """The file's line, counted only when asked for."""
    order: int
    values: dict[str, Any]


def is_json(path: str) -> bool:
    return compressed.stem(path).lower().endswith(JSON_SUFFIXES)


def json_rows(unit: WorkUnit) -> Iterator[Row | BadRecord]:
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
        yield Row(line_of, position(unit, line.offset), values)


def csv_header(path: str, delimiter: str = ",") -> list[str]:
    """The column names, which must be there and differ."""
    with compressed.open_bytes(path) as file:
        try:
            header = next(csv.reader(_text(file), delimiter=delimiter, strict=True), [])
        except (csv.Error, compressed.TruncatedArchive) as error:
            raise UserError(f"{path}, line 1: no header line: {error}") from error
    if not header:
        raise UserError(f"{path} is empty: a header line with the columns' names is needed")
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise UserError(f"{path}, line 1: the column {doubled[0]!r} stands there twice")
    return header


def csv_rows(unit: WorkUnit, delimiter: str = ",") -> Iterator[Row | BadRecord]:
    """The rows below the header; a quoted field may hold line ends, so a file is one unit."""
    csv.field_size_limit(LONGEST_FIELD)
    header = csv_header(unit.path, delimiter)
    with compressed.open_bytes(unit.path) as file:
        reader = csv.reader(_text(file), delimiter=delimiter, strict=True)
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
) -> Row | BadRecord:
    if len(row) != len(header):
        detail = f"it has {len(row)} columns, the header {len(header)}"
        return BadRecord("wrong_columns", unit.path, line, detail)
    if not all(map(_is_utf8, row)):
        return BadRecord("not_utf8", unit.path, line)
    return Row(lambda: line, position(unit, order), dict(zip(header, row, strict=True)))


def _text(file: Any) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _is_utf8(value: str) -> bool:
    return value.isascii() or not any("\udc80" <= character <= "\udcff" for character in value)
