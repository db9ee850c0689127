"""Sorted runs: what a worker has read, written down in the order of the final shards.

An entry sorts by (hash of its client, client, order, content), so whatever worker read it, merging
all runs gives one sequence only. A shard is a range of the hash, so the number of shards can be
chosen after everything was read.
"""

import functools
import heapq
import os
import struct
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from groundwork import files, owners
from groundwork.errors import UserError
from groundwork.randomness import stable_hash

HASH_SPACE = 1 << 64
_ENTRY = struct.Struct("<QqIiHBB")
_FENCES = 4096
_FENCE_SHIFT = 64 - 12
_FENCE_BYTES = (_FENCES + 1) * 8
_CHUNK = 1 << 18
_ENTRY_MEMORY = 250
PlainRow = tuple[bytes, int, bytes, int, int, int]
"""A row as engines know it."""
RunEntry = tuple[int, PlainRow]
"""A row behind the hash of its client."""
_hash = functools.lru_cache(100_000)(stable_hash)


class Row(NamedTuple):
    """One example on its way to its shard; the field order is the sort order."""

    client: bytes
    """Empty where none is known yet."""
    order: int
    payload: bytes
    split: int
    label: int
    counted: int
    """Whether it counts towards the client's size (see ClientLimits)."""


class RunSpiller:
    """Collects entries and writes a sorted run whenever `limit` bytes of memory are filled."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._entries: list[tuple[int, PlainRow]] = []
        self._memory = 0
        self.runs: list[str] = []

    def add(self, row: PlainRow) -> None:
        self._entries.append((_hash(row[0]), row))
        self._memory += len(row[2]) + _ENTRY_MEMORY
        if self._memory >= self._limit:
            self.flush()

    def flush(self) -> None:
        if not self._entries:
            return
        self._entries.sort()
        name = f"{uuid.uuid4().hex}-{owners.mark()}.run"
        with files.replacing(self._folder / name) as file:
            fences = np.zeros(_FENCES + 1, np.int64)
            position = 0
            parts: list[bytes] = []
            last = 0
            for key, (client, order, payload, split, label, counted) in self._entries:
                fence = key >> _FENCE_SHIFT
                if fence >= last:
                    fences[last : fence + 1] = position
                    last = fence + 1
                parts += (
                    _ENTRY.pack(key, order, len(payload), label, len(client), split, counted),
                    client,
                    payload,
                )
                position += _ENTRY.size + len(client) + len(payload)
                if len(parts) > 3 << 12:
                    file.write(b"".join(parts))
                    parts.clear()
            fences[last:] = position
            file.write(b"".join(parts))
            file.write(fences.tobytes())
        self.runs.append(name)
        self._entries.clear()
        self._memory = 0


def _segment(path: Path, low: int, high: int) -> tuple[int, int]:
    """The part of a run that covers the hashes of [low, high), to the nearest fences."""
    with open(path, "rb") as file:
        file.seek(-_FENCE_BYTES, os.SEEK_END)
        fences = np.frombuffer(file.read(_FENCE_BYTES), np.int64)
    return int(fences[low >> _FENCE_SHIFT]), int(fences[((high - 1) >> _FENCE_SHIFT) + 1])


def _chunks(path: Path, start: int, end: int) -> Iterator[bytes]:
    """Opens the file anew for every chunk: a thousand runs need no thousand descriptors."""
    while start < end:
        with open(path, "rb", buffering=0) as file:
            file.seek(start)
            chunk = file.read(min(_CHUNK, end - start))
        if not chunk:
            raise UserError(f"{path} was cut off while it was in use")
        start += len(chunk)
        yield chunk


def entries(path: Path, low: int, high: int, *, payloads: bool = True) -> Iterator[RunEntry]:
    """The entries of a run whose hash is in [low, high), in order."""
    buffer = b""
    position = 0
    size = _ENTRY.size
    chunks = _chunks(path, *_segment(path, low, high))
    while True:
        while len(buffer) - position >= size:
            key, order, length, label, name, split, counted = _ENTRY.unpack_from(buffer, position)
            client_end = position + size + name
            end = client_end + length
            if end > len(buffer):
                break
            if low <= key < high:
                client = buffer[position + size : client_end]
                payload = buffer[client_end:end] if payloads else b""
                yield key, (client, order, payload, split, label, counted)
            position = end
        more = next(chunks, None)
        if more is None:
            return
        buffer, position = buffer[position:] + more, 0


def merged(paths: Sequence[Path], low: int, high: int) -> Iterator[RunEntry]:
    """All entries of the range, in the one order there is."""
    return heapq.merge(*(entries(path, low, high) for path in paths))


def shard_range(shard: int, shards: int) -> tuple[int, int]:
    """The hashes [low, high) of a shard."""
    return -(-shard * HASH_SPACE // shards), -(-(shard + 1) * HASH_SPACE // shards)


def shard_of(client: bytes, shards: int) -> int:
    """The shard whose range the client's hash is in."""
    return _hash(client) * shards >> 64
