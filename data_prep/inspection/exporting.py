"""Writes a dataset in the layouts that TensorFlow Federated itself reads."""

import contextlib
import itertools
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from data_prep.store.reader import PreparedDataset, open_dataset
from data_prep.store.records import Framer
from groundwork import staging
from groundwork.errors import UserError, check_choice
from groundwork.progress import Progress
from groundwork.stores import mirror

SQLITE_FILE = "dataset.sqlite"
_SCHEMA = """
CREATE TABLE examples (
    split_name TEXT NOT NULL,
    client_id TEXT NOT NULL,
    serialized_example_proto BLOB NOT NULL
);
CREATE TABLE client_metadata (
    client_id TEXT NOT NULL,
    split_name TEXT NOT NULL,
    num_examples INTEGER NOT NULL
);
"""
_INDEXES = """
CREATE INDEX idx_examples ON examples (client_id, split_name);
CREATE INDEX idx_client_metadata ON client_metadata (client_id, split_name);
"""
_LONGEST_NAME = 255 - len(".tfrecord")


def export(dataset: str, layout: str, output: str) -> Path:
    """Writes `dataset` in `layout` into the new folder `output`; it appears when it is complete."""
    check_choice("--layout", layout, LAYOUTS)
    opened = open_dataset(dataset)
    folder = mirror.place(output).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--output={output} exists already; name a folder that does not")
    with staging.staging(folder, f"export {layout} {opened.fingerprint}") as held:
        made = held / "export"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        try:
            LAYOUTS[layout](opened, made)
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"--output={output}: writing stopped: {error}") from None
        staging.move_into_place(made, folder, overwrite=False)
    mirror.publish(folder)
    return folder


def file_name(client_id: str) -> str:
    """A file name for any client id; equal ids of TFF's client are the name without its suffix."""
    name = quote(client_id, safe=" +,:;=@[]()!$&'~")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > _LONGEST_NAME:
        raise UserError(f"client id {client_id!r:.60} is too long for a file name: use tff_sqlite")
    return name


def _clients(dataset: PreparedDataset) -> Iterator[tuple[str, str, int, Iterator[bytes]]]:
    """(split, client, number of examples, its examples) of them all."""
    progress = Progress("export clients", sum(s.clients for s in dataset.manifest.splits.values()))
    numbers = itertools.count(1)
    for split in dataset.splits:
        sizes = dataset.index(split).num_examples.tolist()
        for (client_id, records), examples in zip(dataset.iterate(split), sizes, strict=True):
            yield split, client_id, examples, records
            progress.update(next(numbers))
    progress.close()


def _file_per_client(dataset: PreparedDataset, folder: Path) -> None:
    """SPLIT/CLIENT.tfrecord, and clients.tsv with the split, the client id and the path of each."""
    frame = Framer().frame
    for split in dataset.splits:
        (folder / split).mkdir()
    with open(folder / "clients.tsv", "w", encoding="utf-8") as listing:
        for split, client_id, _, records in _clients(dataset):
            path = Path(split) / f"{file_name(client_id)}.tfrecord"
            with open(folder / path, "wb") as file:
                file.writelines(map(frame, records))
            listing.write(f"{split}\t{client_id}\t{path}\n")


def _tff_sqlite(dataset: PreparedDataset, folder: Path) -> None:
    path = folder / SQLITE_FILE
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _SCHEMA)
        connection.execute("BEGIN")
        for split, client_id, examples, records in _clients(dataset):
            rows = ((split, client_id, record) for record in records)
            connection.executemany("INSERT INTO examples VALUES (?, ?, ?)", rows)
            about = client_id, split, examples
            connection.execute("INSERT INTO client_metadata VALUES (?, ?, ?)", about)
        connection.execute("COMMIT")
        connection.executescript(_INDEXES)
    with open(path, "rb") as file:
        os.fsync(file.fileno())


LAYOUTS: Mapping[str, Callable[[PreparedDataset, Path], None]] = {
    "file_per_client": _file_per_client,
    "tff_sqlite": _tff_sqlite,
}
