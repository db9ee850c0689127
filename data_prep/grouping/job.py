"""What a worker must know of a job, and what a local one keeps of its finished pieces.

Records, accounts and index rows pass through the pipeline; only the dataset's own files are written
to the output's place. Where all workers are processes of this machine, each finished piece is also
kept in the staging folder, so that the same command goes on from it after a kill.
"""

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from data_prep.partitions.partition_config import PartitionConfig, SplitConfig
from data_prep.sources.source import ClientLimits, SourceReader
from data_prep.sources.work_units import WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork import files, staging
from groundwork.stores import mirror, store
from groundwork.untyped import Json

Piece = dict[str, Json]
"""What a piece of work gave: JSON, and bytes."""
_BASE64 = "base64"
PROGRESS = "progress"


class Task(NamedTuple):
    """Work units that a worker reads in one go."""

    number: int
    units: tuple[WorkUnit, ...]


@dataclasses.dataclass(frozen=True)
class Job:
    output: str
    staging: Path
    """Beside the output: the dataset is made in it, but where workers put it into a store."""
    reader: SourceReader
    features: tuple[FeatureSpec, ...]
    partition: PartitionConfig
    splits: SplitConfig
    limits: ClientLimits | None
    max_bad_records: int
    shards: int | None
    shard_bytes: int
    spill_bytes: int
    vocabulary: str
    """What the vocabulary is made of, or nothing."""
    described: Mapping[str, Json]
    """What the manifest says of source, partition, request, command and versions."""
    local: bool = True
    """Whether all workers are processes of this machine, and share the staging folder."""

    @property
    def in_store(self) -> bool:
        """Whether workers, on whatever machine, put each file of the dataset into a store."""
        return not self.local and mirror.is_remote(self.output)

    @property
    def dataset(self) -> Path:
        return mirror.place(self.output) if self.in_store else self.staging / "dataset"

    def remove(self, name: str) -> None:
        """Removes a file of the dataset, whichever worker wrote it."""
        (self.dataset / name).unlink(missing_ok=True)
        if self.in_store:
            store.remove(f"{self.output.rstrip('/')}/{name}")

    @property
    def num_labels(self) -> int | None:
        names = self.reader.label_names
        return None if names is None else len(names)

    def folder(self, name: str) -> Path:
        path = self.staging / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def once(self, stage: str, number: int, work: Callable[[], Piece]) -> Piece:
        """The piece of this number, which a local job makes once, however often it is killed."""
        path = self.staging / stage / f"{number:06d}.piece"
        if self.local and path.exists():
            return _load(path)
        piece = {"number": number, **work()}
        if self.local:
            _save(self.folder(stage) / path.name, piece)
        return piece

    def kept(self, stage: str) -> Iterator[Piece]:
        for path in (self.staging / stage).glob("*.piece"):
            yield _load(path)

    def num_kept(self, stage: str) -> int:
        return len(list((self.staging / stage).glob("*.piece"))) if self.local else 0

    def note(self, name: str, number: int) -> None:
        """For the progress line of a local job."""
        if self.local:
            (self.folder(PROGRESS) / name).write_text(str(number))

    def stop(self) -> None:
        """Lets the other processes of a local job know that it has failed."""
        if self.local:
            (self.staging / staging.STOPPED).touch()

    def stopped(self) -> bool:
        return self.local and (self.staging / staging.STOPPED).exists()


def _save(path: Path, piece: Piece) -> None:
    files.write_bytes(path, json.dumps(piece, default=_as_text).encode())


def _load(path: Path) -> Piece:
    return json.loads(path.read_bytes(), object_hook=_as_bytes)


def _as_text(content: bytes) -> dict[str, str]:
    return {_BASE64: base64.b64encode(content).decode()}


def _as_bytes(value: dict[str, Json]) -> Json:
    text = value.get(_BASE64)
    return base64.b64decode(text) if isinstance(text, str) and len(value) == 1 else value
