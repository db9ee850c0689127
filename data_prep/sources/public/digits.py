"""scikit-learn's 1,797 handwritten digits; a client is one of the 14 forms."""

import csv
import gzip
from collections.abc import Iterator

import numpy as np

from data_prep.sources.items import Item, Record
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, embedded_unit
from data_prep.store.features import FeatureSpec

FORM_STARTS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)
"""Rows at which a new form begins, recovered from the fixed digit sequence every form repeats."""
EXAMPLES = 1797
_LARGEST = 16
_EXTRA = {
    "background": 255,
    "clients_are": "forms, recovered from the file's order; not official writer ids",
}


def _read(unit: WorkUnit) -> Iterator[Item]:
    forms = np.searchsorted(FORM_STARTS, np.arange(EXAMPLES), side="right") - 1
    with gzip.open(unit.path, "rt", newline="") as file:
        for row, values in enumerate(csv.reader(file)):
            numbers = np.array(values, np.float64)
            # FEMNIST's convention: ink is 0 on a background of 255.
            ink = np.rint(numbers[:-1] * (255 / _LARGEST)).astype(np.uint8)
            features = {"image": (255 - ink).tobytes(), "label": int(numbers[-1])}
            yield Record(f"form_{forms[row]:02d}", None, features, order=row)


SOURCE = Source(
    name="digits",
    summary="embedded: 1,797 handwritten digits (8x8) on 14 forms, the natural clients",
    open=lambda pattern, options: SourceReader(
        (FeatureSpec("image", "image", (8, 8, 1)), FeatureSpec("label", "int64")),
        (embedded_unit("digits", EXAMPLES),),
        _read,
        tuple("0123456789"),
        _EXTRA,
    ),
    needs_input=False,
    clients=len(FORM_STARTS),
)
