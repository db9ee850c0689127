"""Stage 2: the runs of a shard become the shard's file in each split, and its index rows."""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.feather as feather

from data_prep.grouping import runs as spilling
from data_prep.grouping.job import Job
from data_prep.grouping.runs import Entry, entries, merged, shard_range
from data_prep.partitions.partition_config import SPLITS
from data_prep.partitions.splits import TRAIN, Splitter
from data_prep.sources.parsing import vocabulary
from data_prep.sources.source import ClientLimits
from data_prep.store import examples
from data_prep.store.manifest import StoredFile, stored_file
from data_prep.store.writer import ShardWriter, shard_name
from groundwork import files
from groundwork.files import replacing
from groundwork.untyped import Json

FEATURE = "text"
WORD_STAGE = "counted"


class WordCounter:
    """Collects texts, and counts where the vocabulary asks for counts."""

    def __init__(self, job: Job) -> None:
        self._wanted = bool(job.vocabulary) and vocabulary.needs_counts(job.vocabulary)
        self._tokens = vocabulary.tokenizer(job.described["extra"])
        self.counts: collections.Counter[str] = collections.Counter()

    def add(self, record: bytes) -> None:
        if self._wanted:
            self.counts.update(self._tokens(examples.text_of(record, FEATURE)))

    def save(self, job: Job, shard: int) -> None:
        if self._wanted:
            job.save_result(WORD_STAGE, shard, self.counts)


def finish(job: Job, shards: int) -> tuple[tuple[StoredFile, ...], Mapping[str, Json]]:
    """Writes the vocabulary file; what the manifest says of it."""
    if not job.vocabulary:
        return (), {}
    counts: collections.Counter[str] | None = None
    if vocabulary.needs_counts(job.vocabulary):
        counts = collections.Counter()
        for part in job.results(WORD_STAGE, shards):
            counts.update(part)
    words, origin = vocabulary.build(job.vocabulary, counts)
    path = job.dataset / vocabulary.FILE
    files.write_json(path, {**origin, "words": words})
    return (stored_file(path),), {"vocabulary": {"asked": job.vocabulary, **origin}}


STAGE = "merged"
CREATED = "created"
BELOW, ABOVE = "clients_below_minimum", "clients_above_maximum"


def plan(job: Job) -> dict[str, Json]:
    """How many shards there will be: a function of the input alone."""
    results = job.results(spilling.STAGE, len(job.tasks))
    payload = sum(result["payload_bytes"] for result in results)
    shards = job.shards or max(1, -(-payload // job.shard_bytes))
    runs = [run for result in results for run in result["runs"]]
    return {"shards": shards, "runs": runs, "payload_bytes": payload}


def index_name(split: str, shard: int) -> str:
    return f"{split}-{shard:06d}.arrow"


def merge(job: Job, shard: int) -> int:
    """Leaves the shard's files and the account of them; does nothing where they lie already."""
    if job.result(STAGE, shard) is not None:
        return shard
    planned = job.result("planned", 0) or {}
    shards = planned["shards"]
    paths = [job.staging / spilling.RUNS / run for run in planned["runs"]]
    low, high = shard_range(shard, shards)
    splitter = Splitter(job.splits)
    dropped: collections.Counter[str] = collections.Counter()
    sizes = _sizes(paths, low, high) if splitter.needs_sizes or job.limits else None
    job.dataset.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(
                ShardWriter(job.dataset / shard_name(split, shard, shards), job.num_labels)
            )
            for split in SPLITS
        ]
        stream = merged(paths, low, high)
        words = WordCounter(job)
        _write(stream, sizes, splitter, _cutoff_value(job), job.limits, writers, words, dropped)
        files = [dataclasses.asdict(writer.close()) for writer in writers]
    for split, writer in zip(SPLITS, writers, strict=True):
        _save_rows(job, index_name(split, shard), writer.rows.table(shard, job.num_labels))
    words.save(job, shard)
    job.save_result(STAGE, shard, {"files": files, "dropped": dict(dropped)})
    return shard


class _Size(NamedTuple):
    """Examples of a client: all, those that count towards its limits, those shipped to train on."""

    total: int = 0
    counted: int = 0
    train: int = 0


def _sizes(paths: list[Path], low: int, high: int) -> dict[bytes, _Size]:
    """The sizes of the shard's clients."""
    total: collections.Counter[bytes] = collections.Counter()
    counted: collections.Counter[bytes] = collections.Counter()
    train: collections.Counter[bytes] = collections.Counter()
    for path in paths:
        for entry in entries(path, low, high, payloads=False):
            total[entry.client] += 1
            counted[entry.client] += entry.counted
            train[entry.client] += entry.split == TRAIN
    return {client: _Size(size, counted[client], train[client]) for client, size in total.items()}


def _write(
    stream: Iterator[Entry],
    sizes: dict[bytes, _Size] | None,
    splitter: Splitter,
    cutoff_value: Callable[[Entry], int],
    limits: ClientLimits | None,
    writers: list[ShardWriter],
    words: WordCounter,
    dropped: collections.Counter[str],
) -> None:
    client: bytes | None = None
    name = ""
    position = 0
    reason: str | None = None
    for entry in stream:
        if entry.client != client:
            client, name, position = entry.client, entry.client.decode(), 0
            size = sizes[client] if sizes is not None else _Size()
            reason = _outside(limits, size.counted)
            splitter.start_client(name, size.total, size.train)
        if reason is not None:
            dropped[reason] += 1
            continue
        split = splitter.code(position, cutoff_value(entry), entry.split)
        writers[split].add(name, entry.payload, entry.label)
        if split == TRAIN:
            words.add(entry.payload)
        position += 1


def _cutoff_value(job: Job) -> Callable[[Entry], int]:
    """What --split_cutoffs are compared with: the time of creation where examples carry one."""
    timed = any((f.name, f.kind, f.shape) == (CREATED, "int64", ()) for f in job.features)
    if job.splits.rule == "by_cutoff" and timed:
        return lambda entry: examples.integer_of(entry.payload, CREATED)
    return lambda entry: entry.order


def _outside(limits: ClientLimits | None, size: int) -> str | None:
    if limits is None:
        return None
    if size < limits.minimum:
        return BELOW
    return ABOVE if size > limits.maximum else None


def _save_rows(job: Job, name: str, table: pa.Table) -> None:
    with replacing(job.folder("rows") / name) as file:
        feather.write_feather(table, file, compression="uncompressed")
