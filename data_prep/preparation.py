"""source -> partition -> dataset: the library entry behind `prepare`."""

import dataclasses
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from data_prep import source_fingerprint, staging
from data_prep.errors import UserError
from data_prep.grouping.job import Job
from data_prep.partitions.config import PartitionConfig, SplitConfig
from data_prep.sources import registry
from data_prep.sources.base import Source, SourceReader, WorkUnit, resolve_options
from data_prep.sources.client_limits import ClientLimits
from data_prep.store import features as feature_specs
from data_prep.store import manifest
from data_prep.store.reader import PreparedDataset, open_dataset

NO_MAXIMUM = 1 << 62
_ONE_WORKER_BYTES = 16 << 20
_SMALLEST_TASK, _LARGEST_TASK, _TASKS = 1 << 20, 256 << 20, 64


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
    """All that a preparation is asked for."""

    source: str
    output: str
    input: str = ""
    source_options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    partition: str = "natural"
    num_clients: int | None = None
    dirichlet: str = "per_client"
    alpha: float = 0.1
    concentration: str = "share"
    labels_per_client: int = 2
    sigma: float = 1.0
    minimum_size: int = 1
    split: str = "auto"
    split_fractions: tuple[float, float, float] = (0.8, 0.0, 0.2)
    split_cutoffs: tuple[int, ...] = ()
    min_examples: int | None = None
    max_examples: int | None = None
    seed: int = 0
    max_bad_records: int = 0
    shards: int | None = None
    shard_mb: int = 128
    spill_mb: int = 128
    workers: int | None = None
    beam_options: tuple[str, ...] = ()
    overwrite: bool = False
    command: str = ""
    """What to write into the manifest; by default this process' own command line."""

    def partition_config(self) -> PartitionConfig:
        return PartitionConfig(
            rule=self.partition,
            num_clients=self.num_clients,
            dirichlet=self.dirichlet,
            alpha=self.alpha,
            concentration=self.concentration,
            labels_per_client=self.labels_per_client,
            sigma=self.sigma,
            minimum_size=self.minimum_size,
            seed=self.seed,
        )

    def split_config(self) -> SplitConfig:
        return SplitConfig(self.split, self.split_fractions, self.split_cutoffs, self.seed)


@dataclasses.dataclass(frozen=True)
class Opened:
    """A configuration that met its input: all that can be wrong before reading was checked."""

    config: PrepareConfig
    source: Source
    options: Mapping[str, str]
    reader: SourceReader
    units: tuple[WorkUnit, ...]
    partition: PartitionConfig
    splits: SplitConfig
    limits: ClientLimits | None

    @property
    def input_bytes(self) -> int:
        return sum(unit.size for unit in self.units)

    @property
    def workers(self) -> int:
        if self.config.workers is not None:
            return self.config.workers
        return 1 if self.input_bytes < _ONE_WORKER_BYTES else len(os.sched_getaffinity(0))


def open_source(config: PrepareConfig) -> Opened:
    """Checks the configuration and looks at the input, without reading it."""
    _check_numbers(config)
    partition, splits = config.partition_config(), config.split_config()
    source = registry.get(config.source)
    given = dict(config.source_options)
    if ":" in config.source:
        given["name"] = config.source.split(":", 1)[1]
    options = resolve_options(source, given)
    if source.needs_input and not config.input:
        raise UserError(f"--input is missing: --source={source.name} reads {source.input_summary}")
    if not source.needs_input and config.input:
        raise UserError(f"--input: --source={source.name} comes with its own files and takes none")
    reader = source.open(config.input, options)
    units = tuple(reader.units())
    if not units:
        raise UserError(f"--input={config.input}: {source.name} finds nothing to read there")
    _check_partition(source, reader, partition)
    shipped = bool(getattr(reader, "splits", source.splits))
    if splits.rule == "auto":
        splits = dataclasses.replace(splits, rule="source" if shipped else "by_example")
    elif splits.rule == "source" and not shipped:
        raise UserError(f"--split=source: {source.name} ships no splits; try --split=by_example")
    limits = _limits(config, reader)
    return Opened(config, source, options, reader, units, partition, splits, limits)


def _check_numbers(config: PrepareConfig) -> None:
    for name, smallest in (
        ("max_bad_records", 0),
        ("shards", 1),
        ("shard_mb", 1),
        ("spill_mb", 1),
        ("workers", 1),
        ("min_examples", 0),
        ("max_examples", 1),
    ):
        value = getattr(config, name)
        if value is not None and value < smallest:
            raise UserError(f"--{name}={value}: at least {smallest} is wanted")
    if not config.output:
        raise UserError("--output is missing: name the folder of the new dataset")


def _check_partition(source: Source, reader: SourceReader, partition: PartitionConfig) -> None:
    natural = getattr(reader, "natural", source.natural)
    if not natural and partition.rule in ("natural", "natural_shuffled"):
        raise UserError(
            f"--partition={partition.rule}: {source.name} has no natural clients; use dirichlet, "
            "iid, labels_per_client or quantity with --num_clients"
        )
    labelled = any(f.name == "label" and f.kind == "int64" and not f.shape for f in reader.features)
    if partition.needs_labels and not labelled:
        raise UserError(f"--partition={partition.rule}: {source.name} has no int64 feature 'label'")


def _limits(config: PrepareConfig, reader: SourceReader) -> ClientLimits | None:
    shipped: ClientLimits | None = getattr(reader, "client_limits", None)
    if config.min_examples is None and config.max_examples is None:
        return shipped
    base = shipped or ClientLimits(0, NO_MAXIMUM)
    return ClientLimits(
        base.minimum if config.min_examples is None else config.min_examples,
        base.maximum if config.max_examples is None else config.max_examples,
        base.feature,
    )


def describe_request(opened: Opened) -> dict[str, Any]:
    """The manifest's words for what was asked, and the hash by which the same request is known."""
    config = opened.config
    source = {
        "name": opened.source.name,
        "options": dict(opened.options),
        **source_fingerprint.describe(opened.units),
    }
    partition: dict[str, Any] = opened.partition.settings() | {"splits": opened.splits.settings()}
    if opened.limits is not None:
        partition["client_limits"] = {
            "minimum": opened.limits.minimum,
            "maximum": None if opened.limits.maximum >= NO_MAXIMUM else opened.limits.maximum,
            "counted": opened.limits.feature or "examples",
        }
    extra = dict(opened.reader.extra)
    asked = [
        manifest.FORMAT_VERSION,
        source,
        partition,
        extra,
        [feature.to_json() for feature in opened.reader.features],
        opened.reader.label_names,
        config.shards,
        config.shard_mb,
    ]
    request = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return {
        "source": source,
        "partition": partition,
        "extra": extra,
        "request": request,
        "command": config.command or shlex.join(sys.argv),
    }


def pack_tasks(units: tuple[WorkUnit, ...]) -> tuple[tuple[int, ...], ...]:
    """Neighbouring units together, so that small files do not make many small runs."""
    total = sum(unit.size for unit in units)
    target = min(max(total // _TASKS, _SMALLEST_TASK), _LARGEST_TASK)
    tasks: list[tuple[int, ...]] = []
    current: list[int] = []
    size = 0
    for number, unit in enumerate(units):
        current.append(number)
        size += unit.size
        if size >= target:
            tasks.append(tuple(current))
            current, size = [], 0
    if current:
        tasks.append(tuple(current))
    return tuple(tasks)


def make_job(opened: Opened, folder: Path, described: Mapping[str, Any]) -> Job:
    config = opened.config
    return Job(
        staging=folder,
        reader=opened.reader,
        units=opened.units,
        tasks=pack_tasks(opened.units),
        features=feature_specs.checked(opened.reader.features),
        label_names=opened.reader.label_names,
        partition=opened.partition,
        splits=opened.splits,
        limits=opened.limits,
        max_bad_records=config.max_bad_records,
        shards=config.shards,
        shard_bytes=config.shard_mb << 20,
        spill_bytes=config.spill_mb << 20,
        described=described,
    )


def prepare(
    config: PrepareConfig, announce: Callable[[str], None] = lambda sentence: None
) -> PreparedDataset:
    """Makes the dataset, or finds it finished; UserError on anything the user can mend."""
    opened = open_source(config)
    output = Path(config.output).absolute()
    described = describe_request(opened)
    if _finished(output, described["request"], config.overwrite):
        announce(f"{output} holds exactly this dataset already: nothing to do")
        return open_dataset(output)
    from data_prep.grouping import running  # Beam: only when there is work for it.

    with staging.staging(output, described["request"]) as folder:
        job = make_job(opened, folder, described)
        expected = _expected(opened.units)
        running.run(
            job, workers=opened.workers, beam_options=config.beam_options, expected=expected
        )
        staging.move_into_place(job.dataset, output, overwrite=config.overwrite)
    return open_dataset(output)


def _expected(units: tuple[WorkUnit, ...]) -> int | None:
    known = [unit.examples for unit in units if unit.examples is not None]
    return sum(known) if len(known) == len(units) else None


def _finished(output: Path, request: str, overwrite: bool) -> bool:
    """Whether the request's dataset stands there; refuses an output that holds anything else."""
    if not output.exists():
        return False
    if not output.is_dir():
        raise UserError(f"--output={output} is a file; name a folder that does not exist yet")
    if not any(output.iterdir()):
        return False
    if not (output / manifest.FILE_NAME).exists():
        raise UserError(f"--output={output} holds other files; name a folder that does not exist")
    if overwrite:
        return False
    if manifest.read(output).request == request:
        return True
    raise UserError(
        f"--output={output} holds a dataset made with other settings or from other input; "
        "name another folder, or give --overwrite"
    )
