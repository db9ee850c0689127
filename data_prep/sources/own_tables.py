"""Your own CSV files and JSON lines, with a named client column."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from data_prep.errors import UserError
from data_prep.sources import fields, own_columns, tables
from data_prep.sources.base import (
    BadRecord,
    Item,
    Source,
    SourceOption,
    WorkUnit,
    file_units,
    input_files,
)
from data_prep.sources.lines import line_units
from data_prep.store.features import FeatureSpec

Rows = Callable[[WorkUnit], Iterator[tables.Row | BadRecord]]
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}


@dataclasses.dataclass(frozen=True)
class Reader:
    """Rows by the client column."""

    work: tuple[WorkUnit, ...]
    rows: Rows
    columns: own_columns.Columns
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        return self.columns.specs

    @property
    def label_names(self) -> tuple[str, ...] | None:
        return self.columns.label_names

    @property
    def natural(self) -> bool:
        return bool(self.columns.client)

    @property
    def splits(self) -> tuple[str, ...]:
        return own_columns.STORED_SPLITS if self.columns.split else ()

    def units(self) -> list[WorkUnit]:
        return list(self.work)

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        for row in self.rows(unit):
            if isinstance(row, BadRecord):
                yield row
                continue
            try:
                yield self.columns.record(row.values, row.order)
            except fields.BadField as error:
                yield BadRecord(error.reason, unit.path, row.line(), str(error))


def _open(pattern: str, options: Mapping[str, str], units: list[WorkUnit], rows: Rows) -> Reader:
    def values() -> Iterator[Mapping[str, Any]]:
        for unit in units:
            yield from (row.values for row in rows(unit) if isinstance(row, tables.Row))

    columns = own_columns.columns(options, values(), pattern, all_rows=values())
    return Reader(tuple(units), rows, columns)


def open_csv(pattern: str, options: Mapping[str, str]) -> Reader:
    delimiter = DELIMITERS[options["delimiter"]]
    rows = functools.partial(tables.csv_rows, delimiter=delimiter)
    units = file_units(input_files(pattern))
    headers = {unit.path: tuple(tables.csv_header(unit.path, delimiter)) for unit in units}
    first = headers[units[0].path]
    for path, header in headers.items():
        if set(header) != set(first):
            raise UserError(f"{path}, line 1: its columns differ from those of {units[0].path}")
    return _open(pattern, options, units, rows)


def open_jsonl(pattern: str, options: Mapping[str, str]) -> Reader:
    return _open(pattern, options, line_units(input_files(pattern)), tables.json_rows)


CSV = Source(
    name="csv",
    summary="your own CSV files with a header line and a client column",
    open=open_csv,
    input_summary="a file, folder or glob (may be .gz, .bz2, .xz, .zst)",
    options=(
        *own_columns.OPTIONS,
        SourceOption("delimiter", "between columns", "comma", tuple(DELIMITERS)),
    ),
)
JSONL = Source(
    name="jsonl",
    summary="your own JSON lines (one object a line) with a client field",
    open=open_jsonl,
    input_summary="a file, folder or glob (may be .gz, .bz2, .xz, .zst)",
    options=own_columns.OPTIONS,
)
SOURCES = (CSV, JSONL)
