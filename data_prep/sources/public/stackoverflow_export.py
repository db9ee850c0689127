"""Stack Overflow from the BigQuery / Kaggle export: posts_questions and posts_answers.

CSV or JSON lines by the file's suffix. Column names count without case and underscores, so the
export's owner_user_id and a dump-like OwnerUserId are the same; without post_type_id a row
with a parent_id is an answer.
"""

from collections.abc import Iterator, Mapping

from data_prep.sources.items import Item
from data_prep.sources.parsing import fields, table_rows
from data_prep.sources.parsing.table_rows import line_slices
from data_prep.sources.public.stackoverflow_posts import OPTIONS, items, reader
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, file_units, input_files


def _read(options: Mapping[str, str], unit: WorkUnit) -> Iterator[Item]:
    rows = table_rows.json_rows if table_rows.is_json(unit.path) else table_rows.csv_rows
    return fields.items(rows(unit), lambda row: items(options, row.values))


def open_export(pattern: str, options: Mapping[str, str]) -> SourceReader:
    units: list[WorkUnit] = []
    for unit in file_units(input_files(pattern)):
        if table_rows.is_json(unit.path):
            units += line_slices(unit)
        else:
            table_rows.csv_header(unit.path)
            units.append(unit)
    return reader(units, _read, options)


SOURCE = Source(
    name="stackoverflow_export",
    summary="Stack Overflow posts from the BigQuery/Kaggle export (CSV or JSON lines), by user",
    open=open_export,
    input_summary="the exported .csv/.json/.jsonl files (posts_questions and posts_answers)",
    options=OPTIONS,
)
