"""A small dataset of real digits, for the tests of the store."""

from pathlib import Path

from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.store.reader import PreparedDataset


def prepared_digits(folder: Path, **settings: object) -> PreparedDataset:
    output = str(folder / "digits")
    return prepare(PrepareConfig("digits", output, **settings))  # type: ignore[arg-type]
