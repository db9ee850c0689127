"""The sorted rows of a shard become its file in each split, and its index rows."""

import collections
import contextlib
import dataclasses
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
from apache_beam.metrics import Metrics

from data_prep.grouping.grouping import Key, sorted_runs
from data_prep.grouping.job import Job, Piece
from data_prep.grouping.reading import NAMESPACE
from data_prep.grouping.runs import RunEntry, entries, merged, shard_range
from data_prep.partitions.partition_config import SPLITS
from data_prep.partitions.splits import TRAIN, Splitter
from data_prep.sources.parsing import vocabulary
from data_prep.sources.source import ClientLimits
from data_prep.store import examples
from data_prep.store.writer import ShardWriter, shard_name
from groundwork import files

STAGE = "merged"
TEXT = "text"
CREATED = "created"
BELOW, ABOVE = "clients_below_minimum", "clients_above_maximum"


def merge(job: Job, shard: tuple[Key, Iterable]) -> Iterator[Piece]:
    """Leaves the shard's files; its piece is their account and index rows."""
    key, rows = shard
    piece = job.once(STAGE, key[0], lambda: _merged(job, key, rows))
    Metrics.counter(NAMESPACE, "written").inc(sum(file["examples"] for file in piece["files"]))
    yield piece


def rows_of(split: str) -> str:
    """The name of a split's index rows in a piece."""
    return f"rows of {split}"


def _merged(job: Job, key: Key, rows: Iterable) -> Piece:
    shard, shards = key
    low, high = shard_range(shard, shards)
    splitter = Splitter(job.splits)
    dropped: collections.Counter[str] = collections.Counter()
    words: collections.Counter[str] = collections.Counter()
    job.dataset.mkdir(parents=True, exist_ok=True)
    names = [shard_name(split, shard, shards) for split in SPLITS]
    with sorted_runs(job, rows) as paths, contextlib.ExitStack() as stack:
        sizes = _sizes(paths, low, high) if splitter.needs_sizes or job.limits else None
        opened = [stack.enter_context(files.replacing(job.dataset / name)) for name in names]
        writers = [ShardWriter(file, job.num_labels) for file in opened]
        stream = merged(paths, low, high)
        _write(job, stream, sizes, splitter, writers, words, dropped)
        written = [
            dataclasses.asdict(writer.finish(name))
            for writer, name in zip(writers, names, strict=True)
        ]
    tables = [writer.index_rows(shard) for writer in writers]
    return {
        "files": written,
        "dropped": dict(dropped),
        "words": dict(words),
        **{rows_of(split): _bytes(table) for split, table in zip(SPLITS, tables, strict=True)},
    }


def _bytes(table: pa.Table) -> bytes:
    """Compressed: the rows of all shards meet in one worker's memory."""
    buffer = io.BytesIO()
    feather.write_feather(table, buffer, compression="zstd")
    return buffer.getvalue()


Sizes = dict[bytes, list[int]]


def _sizes(paths: list[Path], low: int, high: int) -> Sizes:
    """Examples of each client: all, those that count towards its limits, those shipped to train."""
    sizes: Sizes = collections.defaultdict(lambda: [0, 0, 0])
    for path in paths:
        for _, (client, _, _, split, _, counted) in entries(path, low, high, payloads=False):
            size = sizes[client]
            size[0] += 1
            size[1] += counted
            size[2] += split == TRAIN
    return sizes


def _write(
    job: Job,
    stream: Iterator[RunEntry],
    sizes: Sizes | None,
    splitter: Splitter,
    writers: list[ShardWriter],
    words: collections.Counter[str],
    dropped: collections.Counter[str],
) -> None:
    client: bytes | None = None
    name = ""
    reason: str | None = None
    timed = any((f.name, f.kind, f.shape) == (CREATED, "int64", ()) for f in job.features)
    by_time = timed and job.splits.rule == "by_cutoff"  # Otherwise by the order value.
    counting = bool(job.vocabulary) and vocabulary.needs_counts(job.vocabulary)
    tokens = vocabulary.tokenizer(job.described["extra"])
    for _, (of, order, payload, shipped, label, _) in stream:
        if of != client:
            client, name = of, of.decode()
            size, counted, train = (0, 0, 0) if sizes is None else sizes[client]
            reason = _outside(job.limits, counted)
            splitter.start_client(name, size, train)
        if reason is not None:
            dropped[reason] += 1
            continue
        value = examples.integer_of(payload, CREATED) if by_time else order
        split = splitter.code(value, shipped)
        writers[split].add(name, payload, label)
        if counting and split == TRAIN:
            words.update(tokens(examples.text_of(payload, TEXT)))


def _outside(limits: ClientLimits | None, size: int) -> str | None:
    if limits is None:
        return None
    if size < limits.minimum:
        return BELOW
    return ABOVE if size > limits.maximum else None
