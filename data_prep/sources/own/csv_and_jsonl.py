"""Rows of your own files (csv, jsonl, tfrecord), grouped by the column that names the client."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

from data_prep.sources.items import BadRecord, Item
from data_prep.sources.own import columns
from data_prep.sources.parsing import fields, table_rows
from data_prep.sources.parsing.table_rows import TableRow
from data_prep.sources.parsing.vocabulary import COUNTED
from data_prep.sources.source import Source, SourceOption, SourceReader
from data_prep.sources.work_units import WorkUnit, file_units, input_files
from data_prep.store.features import SPLITS
from groundwork.errors import UserError
from groundwork.untyped import Feature

Rows = Callable[[WorkUnit], Iterator[TableRow | BadRecord]]
Parts = Callable[[WorkUnit, int], list[WorkUnit]]


def opened(
    pattern: str,
    options: Mapping[str, str],
    units: Sequence[WorkUnit],
    rows: Rows,
    parts: Parts | None = None,
) -> SourceReader:
    """The columns are read off the rows themselves; what is bad among them `read` reports."""

    bad: list[BadRecord] = []

    def values() -> Iterator[Mapping[str, Feature]]:
        for unit in units:
            for row in rows(unit):
                if isinstance(row, TableRow):
                    yield row.values
                elif not bad:
                    bad.append(row)

    sample = columns.first(values())
    if not sample:
        why = "there is no readable row"
        raise UserError(bad[0].sentence() if bad else f"--input={pattern}: {why}")
    found = columns.columns(options, sample, pattern, all_rows=values())
    return SourceReader(
        found.specs,
        tuple(units),
        functools.partial(_read, rows, found),
        found.label_names,
        splits=SPLITS if found.split else (),
        natural=bool(found.client),
        parts=parts,
    )


def _read(rows: Rows, found: columns.Columns, unit: WorkUnit) -> Iterator[Item]:
    return fields.items(rows(unit), lambda row: [found.record(row.values, row.order)])


DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}


def open_csv(pattern: str, options: Mapping[str, str]) -> SourceReader:
    delimiter = DELIMITERS[options["delimiter"]]
    rows = functools.partial(table_rows.csv_rows, delimiter=delimiter)
    units = file_units(input_files(pattern))
    headers = {unit.path: tuple(table_rows.csv_header(unit.path, delimiter)) for unit in units}
    first = headers[units[0].path]
    for path, header in headers.items():
        if set(header) != set(first):
            raise UserError(f"{path}, line 1: its columns differ from those of {units[0].path}")
    return opened(pattern, options, units, rows)


def open_jsonl(pattern: str, options: Mapping[str, str]) -> SourceReader:
    units = table_rows.line_units(input_files(pattern))
    return opened(pattern, options, units, table_rows.json_rows, table_rows.parts)


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
