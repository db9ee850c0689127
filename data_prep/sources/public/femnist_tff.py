"""EMNIST with writers as TensorFlow Federated ships it: emnist_all.sqlite, packed or not."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from data_prep.sources.parsing import fields, sqlite_examples
from data_prep.sources.parsing.download import EMNIST, input_or_download
from data_prep.sources.public import femnist
from data_prep.sources.source import BadRecord, Item, Record, Source, SourceOption, WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError
from groundwork.untyped import Json

SPLITS = {
    "all": {"all_train": "train", "all_test": "test"},
    "digits_only": {"digits_only_train": "train", "digits_only_test": "test"},
}


@dataclasses.dataclass(frozen=True)
class FemnistTffReader:
    """Images by writer; a client's order is the order of its rows."""

    database: sqlite_examples.Database
    split_of: Mapping[str, str | None]
    stored: str
    features: tuple[FeatureSpec, ...]
    label_names: tuple[str, ...]
    extra: Mapping[str, Json]

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(sorted(set(filter(None, self.split_of.values()))))

    def units(self) -> list[WorkUnit]:
        return self.database.units()

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        for row in sqlite_examples.read_rows(unit, self.split_of):
            try:
                example = sqlite_examples.parse(row.serialized)
                features = femnist.example(
                    fields.present(example, "pixels"),
                    sqlite_examples.one(example, "label"),
                    self.stored,
                )
            except fields.BadField as error:
                yield BadRecord(error.reason, unit.path, row.number, str(error))
                continue
            yield Record(row.client_id, self.split_of[row.split_name], features, row.number)


def open_sqlite(pattern: str, options: Mapping[str, str]) -> FemnistTffReader:
    database = sqlite_examples.open_database(input_or_download(pattern, EMNIST))
    splits = _present(database, options["classes"])
    sample = _sample(database, next(iter(splits)))
    stored = femnist.stored_as(options["pixels"], sample)
    digits = options["classes"] == "digits_only"
    return FemnistTffReader(
        database=database,
        split_of=splits,
        stored=stored,
        features=femnist.features(stored),
        label_names=femnist.LABEL_NAMES[:10] if digits else femnist.LABEL_NAMES,
        extra={"background": femnist.BACKGROUND if stored == "uint8" else 1.0},
    )


def _present(database: sqlite_examples.Database, classes: str) -> dict[str, str | None]:
    """The wanted splits that the file holds; a file of one's own making may have other names."""
    held = database.examples_by_split
    found: dict[str, str | None] = {
        name: split for name, split in SPLITS[classes].items() if name in held
    }
    if found:
        return found
    known = {name for names in SPLITS.values() for name in names}
    if not held or known & set(held):
        raise UserError(f"{database.path} holds no split {' or '.join(SPLITS[classes])}")
    return {name: name if name in ("train", "validation", "test") else None for name in held}


def _sample(database: sqlite_examples.Database, split: str) -> Iterator[np.ndarray]:
    for row in sqlite_examples.sample_rows(database, split, femnist.SAMPLE):
        try:
            yield np.asarray(sqlite_examples.parse(row.serialized).get("pixels", ()))
        except fields.BadField:
            continue  # `read` reports it with its row


SOURCE = Source(
    name="femnist_tff",
    summary="handwritten characters (62 classes) from TFF's emnist_all.sqlite(.lzma), by writer",
    open=open_sqlite,
    input_summary="emnist_all.sqlite, emnist_all.sqlite.lzma, or download:FOLDER",
    options=(
        femnist.PIXELS_OPTION,
        SourceOption(
            "classes",
            "all 62 classes, or TFF's digits-only half",
            default="all",
            choices=tuple(SPLITS),
        ),
    ),
    splits=("train", "test"),
)
