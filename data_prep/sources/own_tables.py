"""Your own CSV files and JSON lines, with a named client column."""

import functools
from collections.abc import Mapping

from data_prep.errors import UserError
from data_prep.sources import own_columns, own_rows, tables
from data_prep.sources.base import Source, SourceOption, file_units, input_files
from data_prep.sources.lines import line_units

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}


def open_csv(pattern: str, options: Mapping[str, str]) -> own_rows.Reader:
    delimiter = DELIMITERS[options["delimiter"]]
    rows = functools.partial(tables.csv_rows, delimiter=delimiter)
    units = file_units(input_files(pattern))
    headers = {unit.path: tuple(tables.csv_header(unit.path, delimiter)) for unit in units}
    first = headers[units[0].path]
    for path, header in headers.items():
        if set(header) != set(first):
            raise UserError(f"{path}, line 1: its columns differ from those of {units[0].path}")
    return own_rows.opened(pattern, options, units, rows)


def open_jsonl(pattern: str, options: Mapping[str, str]) -> own_rows.Reader:
    return own_rows.opened(pattern, options, line_units(input_files(pattern)), tables.json_rows)


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
