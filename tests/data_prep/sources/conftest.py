"""What the tests of the sources share: reading one as the pipeline will, and real pictures."""

import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.sources import known_sources
from data_prep.sources.items import BadRecord, Dropped, Record
from data_prep.sources.source import resolve_options
from data_prep.store.examples import ExampleEncoder
from groundwork import embedded_packages


class Outcome(NamedTuple):
    reader: object
    records: list[Record]
    bad: list[BadRecord]
    dropped: dict[str, int]

    @property
    def texts(self) -> list[str]:
        return [record.features["text"] for record in self.records]


@pytest.fixture
def read_source():
    """Reads a source twice through a pickled reader; records must fit the features it names."""

    def read(name: str, path="", **options: str) -> Outcome:
        source = known_sources.get(name)
        given = dict(options)
        if ":" in name:
            given["name"] = name.partition(":")[2]
        opened = source.open(str(path), resolve_options(source, given))
        reader = pickle.loads(pickle.dumps(opened))
        items = [item for unit in reader.units for item in reader.read(unit)]
        again = [item for unit in reader.units for item in reader.read(unit)]
        encoder = ExampleEncoder(reader.features)
        records = [item for item in items if isinstance(item, Record)]
        repeated = [item for item in again if isinstance(item, Record)]
        assert [encoder.encode(r.features) for r in records] == [
            encoder.encode(r.features) for r in repeated
        ]
        assert [r[:2] + r[3:] for r in records] == [r[:2] + r[3:] for r in repeated]
        dropped: dict[str, int] = {}
        for item in items:
            if isinstance(item, Dropped):
                dropped[item.reason] = dropped.get(item.reason, 0) + item.examples
        bad = [item for item in items if isinstance(item, BadRecord)]
        return Outcome(reader, records, bad, dropped)

    return read


@pytest.fixture
def prepared(tmp_path):
    """Runs the real preparation and returns the dataset."""

    def run(name: str, path="", options=None, **config):
        return prepare(
            PrepareConfig(
                source=name,
                input=str(path),
                output=str(tmp_path / "prepared"),
                source_options=options or {},
                workers=1,
                **config,
            )
        )

    return run


@pytest.fixture(scope="session")
def foolbox_pictures():
    """(pixels, label) of the twenty real pictures that foolbox ships of a data set."""

    def load(prefix: str) -> list[tuple[np.ndarray, int]]:
        folder = embedded_packages.path("foolbox") / "foolbox" / "data"
        found = []
        for file in sorted(Path(folder).glob(f"{prefix}_*.png")):
            _, _, label = file.stem.split("_")
            found.append((np.asarray(Image.open(file)), int(label)))
        assert len(found) == 20
        return found

    return load


@pytest.fixture(scope="session")
def chat_messages():
    """The first 60 real chat messages, as (sender, text, time)."""
    source = known_sources.get("chitchat")
    reader = source.open("", {})
    found = []
    for record in reader.read(reader.units[0]):
        found.append((record.client_id, record.features["text"], record.features["created"]))
        if len(found) == 60:
            return found
