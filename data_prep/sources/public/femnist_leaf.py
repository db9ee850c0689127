"""FEMNIST as LEAF writes it: JSON files of up to 100 writers.

LEAF's `group_by_writer.py` appends the first image of every writer but the first twice. The second
copy is left out and counted, unless `duplicates=keep`.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from data_prep.sources.parsing import fields, json_files
from data_prep.sources.public import femnist
from data_prep.sources.source import (
    BadRecord,
    Dropped,
    Item,
    Record,
    Source,
    SourceOption,
    WorkUnit,
)
from data_prep.store.features import FeatureSpec
from groundwork.untyped import Json

DUPLICATES_OPTION = SourceOption(
    "duplicates",
    "LEAF's second copy of a writer's first image: left out and counted, or kept",
    default="drop",
    choices=("drop", "keep"),
)
DUPLICATE = "leaf_duplicated_first_image"


@dataclasses.dataclass(frozen=True)
class FemnistLeafReader:
    """Images by writer; a client's order is the order in its file."""

    work: tuple[WorkUnit, ...]
    stored: str
    drop_duplicates: bool
    features: tuple[FeatureSpec, ...]
    extra: Mapping[str, Json]
    label_names: tuple[str, ...] | None = femnist.LABEL_NAMES

    @property
    def splits(self) -> tuple[str, ...]:
        return json_files.splits_of(self.work)

    def units(self) -> list[WorkUnit]:
        return list(self.work)

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        for user in json_files.users(unit.path):
            if isinstance(user, BadRecord):
                yield user
                continue
            for number, (x, y) in enumerate(zip(user.x, user.y, strict=True)):
                if number == 1 and self.drop_duplicates and (x, y) == (user.x[0], user.y[0]):
                    yield Dropped(DUPLICATE)
                    continue
                try:
                    example = femnist.example(x, y, self.stored)
                except fields.BadField as error:
                    detail = f"writer {user.id!r}, image {number + 1}: {error}"
                    yield BadRecord(error.reason, unit.path, None, detail)
                    continue
                yield Record(user.id, unit.split, example, number)


def open_leaf(pattern: str, options: Mapping[str, str]) -> FemnistLeafReader:
    work = tuple(json_files.split_units(pattern))
    sample = itertools.islice(_images(work[0].path), femnist.SAMPLE)
    stored = femnist.stored_as(options["pixels"], sample)
    return FemnistLeafReader(
        work=work,
        stored=stored,
        drop_duplicates=options["duplicates"] == "drop",
        features=femnist.features(stored),
        extra={"background": femnist.BACKGROUND if stored == "uint8" else 1.0},
    )


def _images(path: str) -> Iterator[np.ndarray]:
    for user in json_files.users(path):
        for values in () if isinstance(user, BadRecord) else user.x:
            try:
                yield np.asarray(values, dtype=np.float64)
            except (TypeError, ValueError):
                continue  # `read` reports it with its place


SOURCE = Source(
    name="femnist_leaf",
    summary="handwritten characters (62 classes) from LEAF's JSON files, by writer",
    open=open_leaf,
    input_summary="LEAF's data folder (train/, test/ or all_data/) or .json files",
    options=(femnist.PIXELS_OPTION, DUPLICATES_OPTION),
    splits=("train", "test"),
)
