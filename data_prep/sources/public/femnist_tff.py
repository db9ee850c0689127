"""EMNIST with writers as TensorFlow Federated ships it: emnist_all.sqlite, packed or not."""

import functools
from collections.abc import Iterator, Mapping

import numpy as np

from data_prep.sources.parsing import fields, sqlite_examples
from data_prep.sources.parsing.download import EMNIST, input_or_download
from data_prep.sources.public import femnist
from data_prep.sources.source import Source, SourceOption, SourceReader
from data_prep.store import features
from groundwork.errors import UserError
from groundwork.untyped import Feature

SPLITS = {
    "all": {"all_train": "train", "all_test": "test"},
    "digits_only": {"digits_only_train": "train", "digits_only_test": "test"},
}
_OF_SPLIT = "split_name = ? LIMIT ?"


def open_sqlite(pattern: str, options: Mapping[str, str]) -> SourceReader:
    database = sqlite_examples.open_database(input_or_download(pattern, EMNIST))
    split_of = _present(database, options["classes"])
    sample = _sample(database, next(iter(split_of)))
    stored = femnist.stored_as(options["pixels"], sample)
    digits = options["classes"] == "digits_only"
    return database.reader(
        split_of,
        femnist.features(stored),
        functools.partial(_features, stored),
        label_names=femnist.LABEL_NAMES[:10] if digits else femnist.LABEL_NAMES,
        extra=femnist.extra(stored),
    )


def _features(stored: str, example: Mapping[str, Feature]) -> dict[str, Feature]:
    label = sqlite_examples.one(example, "label")
    return femnist.example(fields.present(example, "pixels"), label, stored)


def _present(database: sqlite_examples.Database, classes: str) -> dict[str, str | None]:
    """The wanted splits that the file holds; a file that the user made may have other names."""
    held = database.examples_by_split
    found: dict[str, str | None] = {
        name: split for name, split in SPLITS[classes].items() if name in held
    }
    if found:
        return found
    known = {name for names in SPLITS.values() for name in names}
    if not held or known & set(held):
        raise UserError(f"{database.path} holds no split {' or '.join(SPLITS[classes])}")
    return {name: name if name in features.SPLITS else None for name in held}


def _sample(database: sqlite_examples.Database, split: str) -> Iterator[np.ndarray]:
    for row in sqlite_examples.selected(database.path, _OF_SPLIT, split, femnist.SAMPLE):
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
)
