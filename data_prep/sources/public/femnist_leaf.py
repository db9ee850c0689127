"""FEMNIST as LEAF writes it: JSON files of up to 100 writers.

LEAF's `group_by_writer.py` appends the first image of every writer but the first twice. The second
copy is left out and counted, unless `duplicates=keep`.
"""

import functools
from collections.abc import Iterator, Mapping

from data_prep.sources.items import Dropped, Item, Record
from data_prep.sources.parsing import fields, json_files
from data_prep.sources.public import femnist
from data_prep.sources.source import Source, SourceOption, SourceReader
from data_prep.sources.work_units import WorkUnit, splits_of

DUPLICATES_OPTION = SourceOption(
    "duplicates",
    "LEAF's second copy of a writer's first image: left out and counted, or kept",
    default="drop",
    choices=("drop", "keep"),
)
DUPLICATE = "leaf_duplicated_first_image"


def open_leaf(pattern: str, options: Mapping[str, str]) -> SourceReader:
    units = json_files.split_units(pattern)
    rows = json_files.examples(units[0].path)
    images = (row.pair[0] for row in rows if isinstance(row, json_files.Example))
    stored = femnist.stored_as(options["pixels"], images)
    return SourceReader(
        femnist.features(stored),
        units,
        functools.partial(_read, stored, options["duplicates"] == "drop"),
        femnist.LABEL_NAMES,
        femnist.extra(stored),
        splits=splits_of(units),
    )


def _read(stored: str, drop_duplicates: bool, unit: WorkUnit) -> Iterator[Item]:
    """Images by writer; a client's order is the order in its file."""

    def records(row: json_files.Example) -> Iterator[Item]:
        if row.number == 1 and drop_duplicates and row.pair == row._replace(number=0).pair:
            yield Dropped(DUPLICATE)
        else:
            yield Record(row.user.id, unit.split, femnist.example(*row.pair, stored), row.number)

    return fields.items(json_files.examples(unit.path), records)


SOURCE = Source(
    name="femnist_leaf",
    summary="handwritten characters (62 classes) from LEAF's JSON files, by writer",
    open=open_leaf,
    input_summary="LEAF's data folder (train/, test/ or all_data/) or .json files",
    options=(femnist.PIXELS_OPTION, DUPLICATES_OPTION),
)
