"""What a preparation is asked for, met with its input and checked before anything is read."""

import dataclasses
import os
from collections.abc import Mapping

from data_prep.grouping.job import Task
from data_prep.partitions.partition_config import (
    CONCENTRATIONS,
    DIRICHLET,
    RULES,
    SPLIT_RULES,
    PartitionConfig,
    SplitConfig,
)
from data_prep.sources import known_sources
from data_prep.sources.interval import within
from data_prep.sources.parsing import vocabulary
from data_prep.sources.source import ClientLimits, Source, SourceReader, resolve_options
from data_prep.sources.work_units import WorkUnit
from groundwork.errors import UserError
from groundwork.settings import REQUIRED, check_bounds, setting
from groundwork.stores import mirror, schemes

NO_MAXIMUM = 1 << 62
_ONE_WORKER_BYTES = 16 << 20
_SMALLEST_TASK, _LARGEST_TASK, _TASKS = 1 << 20, 256 << 20, 64


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
    """All that a preparation is asked for."""

    source: str = setting(REQUIRED, "Which raw data set it is; --list_sources explains them.")
    output: str = setting(
        REQUIRED, "Folder of the new dataset; it appears when it is complete.", url=True
    )
    input: str = setting(
        "", "File, folder or glob of the source (embedded ones need none).", url=True
    )
    source_options: Mapping[str, str] = setting({}, "Options of the source: name=value,name=value.")
    partition: str = setting(
        PartitionConfig.rule, f"What gives an example its client: {', '.join(RULES)}."
    )
    num_clients: int | None = setting(
        PartitionConfig.num_clients, "Clients of a made-up partition."
    )
    dirichlet: str = setting(
        PartitionConfig.dirichlet,
        "Which Dirichlet: a label mix per client (Hsu et al. 2019), or client shares per class.",
        choices=DIRICHLET,
    )
    alpha: float = setting(PartitionConfig.alpha, "Concentration of the Dirichlet partition.")
    concentration: str = setting(
        PartitionConfig.concentration,
        "--dirichlet=per_client draws from Dir(alpha p) with p adding up to 1 (share), or to C"
        " (each).",
        choices=CONCENTRATIONS,
    )
    labels_per_client: int = setting(
        PartitionConfig.labels_per_client, "Labels a client of --partition=labels_per_client."
    )
    sigma: float = setting(PartitionConfig.sigma, "Spread of log sizes in --partition=quantity.")
    minimum_size: int = setting(
        PartitionConfig.minimum_size, "Fewest examples of a made-up client, over all splits."
    )
    split: str = setting(SplitConfig.rule, "What gives an example its split.", choices=SPLIT_RULES)
    split_fractions: tuple[float, float, float] = setting(
        SplitConfig.fractions, "Shares of train, validation, test."
    )
    split_cutoffs: tuple[int, ...] = setting(
        SplitConfig.cutoffs, "Order values (times) at which --split=by_cutoff cuts."
    )
    validation_share: float = setting(
        SplitConfig.validation_share,
        "Of --split=source: share of each client's training examples that validate; test stays as"
        " is.",
    )
    interval: str = setting(
        "", "Only what was created in this year, month or day (UTC), such as 2018-05."
    )
    min_examples: int | None = setting(
        None, "Leave out clients with fewer examples; counted.", lower_bound=0
    )
    max_examples: int | None = setting(
        None, "Leave out clients with more examples; counted.", lower_bound=1
    )
    vocabulary: str = setting(
        "",
        "Words of text models: count:N (of the training texts), glove:N, file:PATH:N or none; by"
        f" default {vocabulary.COUNTED} for texts of your own.",
    )
    seed: int = setting(0, "Seed of every random choice.")
    max_bad_records: int = setting(
        0, "Bad records to count and report instead of stopping.", lower_bound=0
    )
    shards: int | None = setting(
        None, "Number of shards; by default the size decides.", lower_bound=1, upper_bound=99_999
    )
    shard_mb: int = setting(128, "Size of a shard in MiB.", lower_bound=1)
    spill_mb: int = setting(128, "Memory in MiB that a worker sorts at a time.", lower_bound=1)
    workers: int | None = setting(
        None,
        "Local worker processes; by default one for each core.",
        lower_bound=1,
        upper_bound=1024,
    )
    beam_options: tuple[str, ...] = setting((), "Beam's own options.", flag=None)
    overwrite: bool = setting(False, "Replace another dataset at --output.")
    command: str = setting(
        "", "What to write into the manifest; by default this process' command line.", flag=None
    )

    def partition_config(self) -> PartitionConfig:
        names = (field.name for field in dataclasses.fields(PartitionConfig) if field.init)
        shared = {name: getattr(self, name) for name in names if name != "rule"}
        return PartitionConfig(self.partition, **shared)

    def split_config(self) -> SplitConfig:
        return SplitConfig(
            self.split, self.split_fractions, self.validation_share, self.split_cutoffs, self.seed
        )


@dataclasses.dataclass(frozen=True)
class Opened:
    """A configuration that met its input: all that can be wrong before reading was checked."""

    config: PrepareConfig
    source: Source
    options: Mapping[str, str]
    reader: SourceReader
    partition: PartitionConfig
    splits: SplitConfig
    limits: ClientLimits | None
    vocabulary: str

    @property
    def input_bytes(self) -> int:
        return sum(unit.size for unit in self.reader.units)

    @property
    def workers(self) -> int:
        if self.config.workers is not None:
            return self.config.workers
        return 1 if self.input_bytes < _ONE_WORKER_BYTES else len(os.sched_getaffinity(0))


def open_source(config: PrepareConfig) -> Opened:
    """Checks the configuration and looks at the input, without reading it."""
    _check_alone(config)
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
    reader = source.open(mirror.inputs_here(config.input), options)
    reader = within(reader, config.interval, source.name)
    if not reader.units:
        raise UserError(f"--input={config.input}: {source.name} finds nothing to read there")
    _check_partition(source, reader, partition)
    splits = _resolved_splits(source, reader.splits, splits)
    limits = _limits(config, reader)
    words = _vocabulary(config, source, reader)
    return Opened(config, source, options, reader, partition, splits, limits, words)


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
        raise UserError(f"--validation_share: {source.name} ships its own validation split")
    return splits


def _check_alone(config: PrepareConfig) -> None:
    if not config.source:
        raise UserError(f"--source is missing: one of {', '.join(known_sources.names())}")
    if not config.output:
        raise UserError("--output is missing: name the folder of the new dataset")
    check_bounds(config)
    schemes.check("output", config.output, served=True)
    for part in config.input.split(","):
        schemes.check("input", part.strip(), served=True)


def _check_partition(source: Source, reader: SourceReader, partition: PartitionConfig) -> None:
    if not reader.natural and partition.rule in ("natural", "natural_shuffled"):
        raise UserError(
            f"--partition={partition.rule}: {source.name} has no natural clients; use dirichlet, "
            "iid, labels_per_client or quantity with --num_clients"
        )
    labelled = any(f.name == "label" and f.kind == "int64" and not f.shape for f in reader.features)
    if partition.needs_labels and not labelled:
        raise UserError(f"--partition={partition.rule}: {source.name} has no int64 feature 'label'")


def _vocabulary(config: PrepareConfig, source: Source, reader: SourceReader) -> str:
    """What is asked for, otherwise what the source has for its texts; nothing for none."""
    if config.vocabulary == vocabulary.NONE:
        return ""
    has_text = any(f.name == "text" and f.kind == "text" for f in reader.features)
    if not config.vocabulary:
        return source.vocabulary if has_text else ""
    vocabulary.check(config.vocabulary)
    if not has_text:
        raise UserError(
            f"--vocabulary={config.vocabulary}: the examples hold no field 'text' (of a table, "
            "--source_options=text=COLUMN names it)"
        )
    return config.vocabulary


def _limits(config: PrepareConfig, reader: SourceReader) -> ClientLimits | None:
    if config.min_examples is None and config.max_examples is None:
        return reader.client_limits
    base = reader.client_limits or ClientLimits(0, NO_MAXIMUM)
    return ClientLimits(
        base.minimum if config.min_examples is None else config.min_examples,
        base.maximum if config.max_examples is None else config.max_examples,
        base.feature,
    )


def pack_tasks(reader: SourceReader) -> tuple[Task, ...]:
    """Neighbouring units together, so that small files do not make many small runs."""
    total = sum(unit.size for unit in reader.units)
    target = min(max(total // _TASKS, _SMALLEST_TASK), _LARGEST_TASK)
    packed: list[list[WorkUnit]] = [[]]
    size = 0
    for unit in reader.units:
        for part in reader.parts(unit, target) if reader.parts else [unit]:
            if size >= target:
                packed.append([])
                size = 0
            packed[-1].append(part)
            size += part.size
    return tuple(Task(number, tuple(together)) for number, together in enumerate(packed))
