"""Writes one shard: each client's records in a row, and the index rows that find them again."""

import hashlib
from typing import IO

import numpy as np
import pyarrow as pa

from data_prep.store import index
from data_prep.store.manifest import Shard
from data_prep.store.records import Framer

_BUFFER = 1 << 20


def shard_name(split: str, shard: int, shards: int) -> str:
    return f"{split}-{shard:05d}-of-{shards:05d}.tfrecord"


class ShardWriter:
    """Writes a shard into an open file; `finish` returns its description.

    A client's records are added one after the other; another client id ends the client before.
    """

    def __init__(self, file: IO[bytes], num_labels: int | None = None) -> None:
        self._rows: list[tuple[str, int, int, int]] = []
        self._label_counts: list[np.ndarray] = []
        self._file = file
        self._frame = Framer().frame
        self._hash = hashlib.sha256()
        self._num_labels = num_labels
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._written = 0
        self._examples = 0
        self._client: str | None = None
        self._client_start = 0
        self._client_examples = 0
        self._client_labels: list[int] = []

    def add(self, client_id: str, record: bytes, label: int = 0) -> None:
        if client_id != self._client:
            self._end_client()
            self._client = client_id
            self._client_labels = [0] * (self._num_labels or 0)
        framed = self._frame(record)
        self._pending.append(framed)
        self._pending_bytes += len(framed)
        self._client_examples += 1
        if self._num_labels is not None:
            self._client_labels[label] += 1
        if self._pending_bytes >= _BUFFER:
            self._flush()

    def _end_client(self) -> None:
        end = self._written + self._pending_bytes
        if self._client is not None:
            length, examples = end - self._client_start, self._client_examples
            self._rows.append((self._client, self._client_start, length, examples))
            if self._num_labels is not None:
                self._label_counts.append(np.array(self._client_labels, np.int32))
            self._examples += examples
        self._client_start = end
        self._client_examples = 0

    def _flush(self) -> None:
        content = b"".join(self._pending)
        self._hash.update(content)
        self._file.write(content)
        self._written += len(content)
        self._pending.clear()
        self._pending_bytes = 0

    def finish(self, name: str) -> Shard:
        self._end_client()
        self._flush()
        return Shard(
            file=name,
            bytes=self._written,
            sha256=self._hash.hexdigest(),
            clients=len(self._rows),
            examples=self._examples,
        )

    def index_rows(self, shard: int) -> pa.Table:
        labels = self._num_labels
        counts = np.array(self._label_counts, np.int32)
        counted = None if labels is None else counts.reshape(len(self._rows), labels)
        return index.table(shard, self._rows, counted)
