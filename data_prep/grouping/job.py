"""All a worker must know, and where the work lies on disk.

Only numbers and file names pass through the pipeline's runner. Everything else goes by files below
one staging folder, which all workers must reach (a local disk, or one they share); each of them
appears under its own name only when it is whole, so a bundle may be retried or run twice.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from data_prep.partitions.partition_config import PartitionConfig, SplitConfig
from data_prep.sources.source import ClientLimits, SourceReader, WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork import files
from groundwork.errors import UserError
from groundwork.staging import Interrupted
from groundwork.untyped import Json

FAILURE = "failure.txt"
_SOUND = "what is done is sound\n"


@dataclasses.dataclass(frozen=True)
class Job:
    staging: Path
    reader: SourceReader
    units: tuple[WorkUnit, ...]
    tasks: tuple[tuple[int, ...], ...]
    """Units a worker reads in one go."""
    features: tuple[FeatureSpec, ...]
    label_names: tuple[str, ...] | None
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

    @property
    def dataset(self) -> Path:
        return self.staging / "dataset"

    @property
    def num_labels(self) -> int | None:
        return None if self.label_names is None else len(self.label_names)

    def folder(self, name: str) -> Path:
        path = self.staging / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def result(self, stage: str, number: int) -> dict[str, Json] | None:
        """What a finished piece of work left, or None."""
        try:
            return json.loads((self.staging / stage / f"{number:06d}.json").read_bytes())
        except FileNotFoundError:
            return None

    def save_result(self, stage: str, number: int, value: Mapping[str, Json]) -> None:
        files.write_json(self.folder(stage) / f"{number:06d}.json", value)

    def has_results(self, stage: str) -> bool:
        """Whether a piece of work of the stage is finished."""
        return any((self.staging / stage).glob("*.json"))

    def results(self, stage: str, count: int) -> list[dict[str, Json]]:
        found = [self.result(stage, number) for number in range(count)]
        missing = [number for number, value in enumerate(found) if value is None]
        if missing:
            raise RuntimeError(f"{stage}: the pipeline ended without the pieces {missing[:5]}")
        return [value for value in found if value is not None]

    def fail(self, sentence: str, *, sound: bool = False) -> None:
        """Ends the job for everyone, by the first sentence; `sound`: what is done can be kept."""
        if not self.failed():
            files.write_text(self.staging / FAILURE, _SOUND * sound + sentence)

    def failed(self) -> bool:
        return (self.staging / FAILURE).exists()

    def check(self) -> None:
        """Raises what the job failed with."""
        if not self.failed():
            return
        text = (self.staging / FAILURE).read_text()
        if text.startswith(_SOUND):
            raise Interrupted(text.removeprefix(_SOUND))
        raise UserError(text)
