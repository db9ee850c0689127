"""scikit-learn's 1,797 handwritten digits; a client is one of the 14 forms."""

import csv
import gzip
from collections.abc import Iterator, Mapping

import numpy as np

from data_prep.sources.source import Item, Record, Source, WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork import embedded_packages
from groundwork.untyped import Json

FORM_STARTS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)
"""Rows at which a new form begins, recovered from the fixed digit sequence every form repeats."""
EXAMPLES = 1797
_LARGEST = 16


class DigitsReader:
    features = (FeatureSpec("image", "image", (8, 8, 1)), FeatureSpec("label", "int64"))
    label_names = tuple("0123456789")
    extra: Mapping[str, Json] = {
        "background": 255,
        "clients_are": "forms, recovered from the file's order; not official writer ids",
    }

    def units(self) -> list[WorkUnit]:
        path = embedded_packages.path("digits")
        return [WorkUnit(path.name, str(path), size=path.stat().st_size, examples=EXAMPLES)]

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        forms = np.searchsorted(FORM_STARTS, np.arange(EXAMPLES), side="right") - 1
        with gzip.open(unit.path, "rt", newline="") as file:
            for row, values in enumerate(csv.reader(file)):
                numbers = np.array(values, np.float64)
                # FEMNIST's convention: ink is 0 on a background of 255.
                ink = np.rint(numbers[:-1] * (255 / _LARGEST)).astype(np.uint8)
                image = (255 - ink).tobytes()
                features = {"image": image, "label": int(numbers[-1])}
                yield Record(f"form_{forms[row]:02d}", None, features, order=row)


SOURCE = Source(
    name="digits",
    summary="embedded: 1,797 handwritten digits (8x8) on 14 forms, the natural clients",
    open=lambda pattern, options: DigitsReader(),
    needs_input=False,
    clients=len(FORM_STARTS),
)
