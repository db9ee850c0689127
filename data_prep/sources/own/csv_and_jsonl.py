"""Rows of your own files (csv, jsonl, tfrecord), grouped by the column that names the client."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping

from data_prep.sources.own import columns
from data_prep.sources.own import columns as own_columns
from data_prep.sources.parsing import fields, table_rows
from data_prep.sources.parsing.table_rows import TableRow, line_units
from data_prep.sources.parsing.vocabulary import COUNTED
from data_prep.sources.source import (
    BadRecord,
    Item,
    Source,
    SourceOption,
    WorkUnit,
    file_units,
    input_files,
)
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError
from groundwork.untyped import Feature, Json

Rows = Callable[[WorkUnit], Iterator[TableRow | BadRecord]]


@dataclasses.dataclass(frozen=True)
class TableReader:
    """Rows by the client column."""

    work: tuple[WorkUnit, ...]
    rows: Rows
    columns: own_columns.Columns
    extra: Mapping[str, Json] = dataclasses.field(default_factory=dict)

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


def opened(
    pattern: str, options: Mapping[str, str], units: list[WorkUnit], rows: Rows
) -> TableReader:
    """The columns are read off the rows themselves; what is bad among them `read` reports."""

    bad: list[BadRecord] = []

    def values() -> Iterator[Mapping[str, Feature]]:
        for unit in units:
            for row in rows(unit):
                if isinstance(row, TableRow):
                    yield row.values
                elif not bad:
                    bad.append(row)

    sample = own_columns.first(values())
    if not sample:
        why = "there is no readable row"
        raise UserError(bad[0].sentence() if bad else f"--input={pattern}: {why}")
    columns = own_columns.columns(options, sample, pattern, all_rows=values())
    return TableReader(tuple(units), rows, columns)


DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}


def open_csv(pattern: str, options: Mapping[str, str]) -> TableReader:
    delimiter = DELIMITERS[options["delimiter"]]
    rows = functools.partial(table_rows.csv_rows, delimiter=delimiter)
    units = file_units(input_files(pattern))
    headers = {unit.path: tuple(table_rows.csv_header(unit.path, delimiter)) for unit in units}
    first = headers[units[0].path]
    for path, header in headers.items():
        if set(header) != set(first):
            raise UserError(f"{path}, line 1: its columns differ from those of {units[0].path}")
    return opened(pattern, options, units, rows)


def open_jsonl(pattern: str, options: Mapping[str, str]) -> TableReader:
    return opened(pattern, options, line_units(input_files(pattern)), table_rows.json_rows)


CSV = Source(
    name="csv",
    summary="your own CSV files with a header line and a client column",
    open=open_csv,
    vocabulary=COUNTED,
    input_summary="a file, folder or glob (may be .gz, .bz2, .xz, .zst)",
    options=(
        *columns.OPTIONS,
        SourceOption("delimiter", "between columns", "comma", tuple(DELIMITERS)),
    ),
)
JSONL = Source(
    name="jsonl",
    summary="your own JSON lines (one object a line) with a client field",
    open=open_jsonl,
    vocabulary=COUNTED,
    input_summary="a file, folder or glob (may be .gz, .bz2, .xz, .zst)",
    options=columns.OPTIONS,
)
SOURCES = (CSV, JSONL)
