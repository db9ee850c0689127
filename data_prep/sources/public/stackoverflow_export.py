"""Stack Overflow from the BigQuery / Kaggle export: posts_questions and posts_answers.

CSV or JSON lines by the file's suffix. Column names count without case and underscores, so the
export's owner_user_id and a dump-like OwnerUserId are the same; without post_type_id a row
with a parent_id is an answer.
"""

import dataclasses
from collections.abc import Iterator, Mapping

from data_prep.sources.parsing import fields, table_rows
from data_prep.sources.parsing.table_rows import line_units
from data_prep.sources.public.stackoverflow_posts import (
    FEATURES,
    OPTIONS,
    SPLITS,
    Post,
    checked_number,
    extra,
    items,
)
from data_prep.sources.source import BadRecord, Item, Source, WorkUnit, file_units, input_files
from data_prep.store.features import FeatureSpec
from groundwork.untyped import Feature, Json


@dataclasses.dataclass(frozen=True)
class StackOverflowExportReader:
    """Sentences or posts by owner_user_id."""

    work: tuple[WorkUnit, ...]
    options: Mapping[str, str]
    extra: Mapping[str, Json]
    features: tuple[FeatureSpec, ...] = FEATURES
    label_names: tuple[str, ...] | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        return SPLITS if self.options["splits"] == "tff" else ()

    def units(self) -> list[WorkUnit]:
        return list(self.work)

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        rows = (
            table_rows.json_rows(unit)
            if table_rows.is_json(unit.path)
            else table_rows.csv_rows(unit)
        )
        for row in rows:
            if isinstance(row, BadRecord):
                yield row
                continue
            try:
                yield from items(_post(row.values), self.options)
            except fields.BadField as error:
                yield BadRecord(error.reason, unit.path, row.line(), str(error))


def _post(values: Mapping[str, Feature]) -> Post:
    row = {
        name.lower().replace("_", ""): value
        for name, value in values.items()
        if value not in ("", None)
    }
    kind = 2 if "parentid" in row else 1
    return Post(
        number=checked_number(_whole(row, "id")),
        kind=_whole(row, "posttypeid") if "posttypeid" in row else kind,
        owner=_whole(row, "owneruserid") if "owneruserid" in row else None,
        created=fields.time(row, "creationdate"),
        score=_whole(row, "score") if "score" in row else 0,
        title=fields.text(row, "title", default=""),
        tags=_tags(row),
        body=fields.text(row, "body", default=""),
    )


def _tags(row: Mapping[str, Feature]) -> str:
    tags = row.get("tags", "")
    return "|".join(map(str, tags)) if isinstance(tags, list) else fields.text(row, "tags", "")


def _whole(row: Mapping[str, Feature], name: str) -> int:
    value = row.get(name)
    if isinstance(value, str) and value.endswith(".0"):  # columns with gaps, written by pandas
        return fields.integer({name: value[:-2]}, name)
    return fields.integer(row, name)


def open_export(pattern: str, options: Mapping[str, str]) -> StackOverflowExportReader:
    files = input_files(pattern)
    lines = line_units([file for file in files if table_rows.is_json(str(file))])
    ordinals = {unit.path: unit.ordinal for unit in file_units(files)}
    whole = file_units([file for file in files if not table_rows.is_json(str(file))])
    for unit in whole:
        table_rows.csv_header(unit.path)
    units = [dataclasses.replace(u, ordinal=ordinals[u.path]) for u in (*lines, *whole)]
    return StackOverflowExportReader(work=tuple(units), options=dict(options), extra=extra(options))


SOURCE = Source(
    name="stackoverflow_export",
    summary="Stack Overflow posts from the BigQuery/Kaggle export (CSV or JSON lines), by user",
    open=open_export,
    input_summary="the exported .csv/.json/.jsonl files (posts_questions and posts_answers)",
    options=OPTIONS,
    splits=SPLITS,
)
