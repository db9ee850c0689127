"""What a preparation is asked for, met with its input and checked before anything is read."""

import dataclasses
import os
from collections.abc import Mapping

from data_prep.partitions.partition_config import PartitionConfig, SplitConfig
from data_prep.sources import known_sources
from data_prep.sources.parsing import vocabulary
from data_prep.sources.source import ClientLimits, Source, SourceReader, WorkUnit, resolve_options
from groundwork import filesystems
from groundwork.errors import UserError

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
    validation_share: float = 0.0
    min_examples: int | None = None
    max_examples: int | None = None
    vocabulary: str = ""
    """count:N, glove:N or file:PATH:N: the words that text models know; see vocabulary.py."""
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
        return SplitConfig(
            rule=self.split,
            fractions=self.split_fractions,
            validation_share=self.validation_share,
            cutoffs=self.split_cutoffs,
            seed=self.seed,
        )


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
    source = known_sources.get(config.source)
    given = dict(config.source_options)
    if ":" in config.source:
        given["name"] = config.source.split(":", 1)[1]
    options = resolve_options(source, given)
    if source.needs_input and not config.input:
        raise UserError(f"--input is missing: --source={source.name} reads {source.input_summary}")
    if not source.needs_input and config.input and not source.input_summary:
        raise UserError(f"--input: --source={source.name} comes with its own files and takes none")
    reader = source.open(config.input, options)
    units = tuple(reader.units())
    if not units:
        raise UserError(f"--input={config.input}: {source.name} finds nothing to read there")
    _check_partition(source, reader, partition)
    _check_vocabulary(config, reader)
    splits = _resolved_splits(source, tuple(getattr(reader, "splits", source.splits)), splits)
    limits = _limits(config, reader)
    return Opened(config, source, options, reader, units, partition, splits, limits)


def _resolved_splits(source: Source, shipped: tuple[str, ...], splits: SplitConfig) -> SplitConfig:
    """`auto` decided; refuses what the source cannot give."""
    if splits.rule == "auto":
        splits = dataclasses.replace(splits, rule="source" if shipped else "by_example")
    if splits.rule == "source" and not shipped:
        raise UserError(f"--split=source: {source.name} ships no splits; try --split=by_example")
    if splits.validation_share and splits.rule != "source":
        raise UserError(
            f"--validation_share cuts what --split=source trains on; --split={splits.rule} has "
            "--split_fractions"
        )
    if splits.validation_share and "validation" in shipped:
        raise UserError(f"--validation_share: {source.name} ships a validation split of its own")
    return splits


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
    filesystems.check_local("output", config.output)
    filesystems.check_local("input", config.input)


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


def _check_vocabulary(config: PrepareConfig, reader: SourceReader) -> None:
    if not config.vocabulary:
        return
    vocabulary.check(config.vocabulary)
    if not any(f.name == "text" and f.kind == "text" for f in reader.features):
        raise UserError(f"--vocabulary={config.vocabulary}: {config.source} has no text")


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
