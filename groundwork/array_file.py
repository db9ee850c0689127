"""One file of named arrays, whole or absent, checked by its own sha256.

Layout: the magic line, one JSON header line (metadata and, per array, name, dtype, shape and
offset), the raw array bytes, and the sha256 of everything before it. The header lists arrays in the
order given, so equal content gives equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from groundwork import files, from_json
from groundwork.errors import UserError
from groundwork.untyped import Json

MAGIC = b"fed_pretrain checkpoint 1\n"
_DIGEST_BYTES = 32


class DamagedCheckpoint(UserError):
    """A checkpoint whose bytes are not those that were written."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds; arrays are read-only views of its bytes."""

    metadata: Mapping[str, Json]
    arrays: Mapping[str, np.ndarray]


def save(
    path: str | os.PathLike[str], metadata: Mapping[str, Json], arrays: Mapping[str, np.ndarray]
) -> int:
    """Writes the checkpoint atomically and returns its size in bytes."""
    header, blocks = _layout(metadata, arrays)
    digest = hashlib.sha256()
    size = 0
    with files.replacing(path) as file:
        pieces: list[bytes | memoryview] = [MAGIC, header, *blocks]
        for block in pieces:
            file.write(block)
            digest.update(block)
            size += len(block)
        file.write(digest.digest())
    return size + _DIGEST_BYTES


def _layout(
    metadata: Mapping[str, Json], arrays: Mapping[str, np.ndarray]
) -> tuple[bytes, list[memoryview]]:
    entries: list[dict[str, Json]] = []
    blocks: list[memoryview] = []
    offset = 0
    for name, value in arrays.items():
        array = np.ascontiguousarray(value)
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects and cannot be saved")
        entries.append(
            {
                "name": name,
                "dtype": array.dtype.str,
                "shape": list(np.shape(value)),
                "offset": offset,
            }
        )
        blocks.append(array.reshape(-1).view(np.uint8).data)
        offset += array.nbytes
    header = json.dumps({"metadata": metadata, "arrays": entries}, sort_keys=True)
    return header.encode("utf-8") + b"\n", blocks


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Reads a checkpoint; raises DamagedCheckpoint unless every byte is as it was written."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read the checkpoint ({error.strerror})") from error
    if not content.startswith(MAGIC):
        raise DamagedCheckpoint(f"{path}: not a fed_pretrain checkpoint")
    body, digest = memoryview(content)[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise DamagedCheckpoint(f"{path}: damaged (its sha256 does not fit its bytes)")
    try:
        return _parsed(content)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise DamagedCheckpoint(f"{path}: damaged (its header does not fit its arrays)") from error


def _parsed(content: bytes) -> Checkpoint:
    end_of_header = content.index(b"\n", len(MAGIC))
    header = from_json.text(content[len(MAGIC) : end_of_header])
    first = end_of_header + 1
    arrays = {entry["name"]: _array(content, first, entry) for entry in header["arrays"]}
    return Checkpoint(header["metadata"], arrays)


def _array(content: bytes, first: int, entry: Mapping[str, Json]) -> np.ndarray:
    shape = tuple(entry["shape"])
    if min(shape, default=0) < 0 or entry["offset"] < 0:
        raise ValueError(f"{entry['name']!r} has a negative size or place")
    count = math.prod(shape)
    flat = np.frombuffer(content, np.dtype(entry["dtype"]), count, first + entry["offset"])
    return flat.reshape(shape)
