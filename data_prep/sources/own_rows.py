"""Rows of your own files (csv, jsonl, tfrecord), grouped by the column that names the client."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from data_prep.sources import fields, own_columns
from data_prep.sources.base import BadRecord, Item, WorkUnit
from data_prep.sources.tables import Row
from data_prep.store.features import FeatureSpec

Rows = Callable[[WorkUnit], Iterator[Row | BadRecord]]


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


def opened(pattern: str, options: Mapping[str, str], units: list[WorkUnit], rows: Rows) -> Reader:
    """The columns are read off the rows themselves; what is bad among them `read` reports."""

    def values() -> Iterator[Mapping[str, Any]]:
        for unit in units:
            yield from (row.values for row in rows(unit) if isinstance(row, Row))

    columns = own_columns.columns(options, values(), pattern, all_rows=values())
    return Reader(tuple(units), rows, columns)
