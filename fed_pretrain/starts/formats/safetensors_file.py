"""The safetensors format: an 8-byte length, a JSON header, raw little-endian bytes."""

import math
import struct
from pathlib import Path

import numpy as np

from fed_pretrain.starts.formats.source_file import ReadBudget, widen_bfloat16
from groundwork import from_json, hub
from groundwork.errors import UserError
from groundwork.untyped import Json

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def looks_like(head: bytes, size: int) -> bool:
    return len(head) >= 9 and struct.unpack("<Q", head[:8])[0] <= size - 8 and head[8:9] == b"{"


def read(path: str) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack_from("<Q", content)
    header = from_json.text(content[8 : 8 + length])
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    budget = ReadBudget(path, len(content))
    for entry in entries.values():
        budget.take(8 * math.prod(entry["shape"]))
    return {name: _tensor(content, 8 + length, entry) for name, entry in entries.items()}


def read_shards(index: str) -> dict[str, np.ndarray]:
    """The tensors of the files beside an index that it names."""
    tensors: dict[str, np.ndarray] = {}
    for shard in hub.shards_of(Path(index)):
        path = Path(index).with_name(shard)
        if not path.is_file():
            raise UserError(f"{index}: its shard {shard} is not beside it")
        tensors |= read(str(path))
    return tensors


def _tensor(content: bytes, start: int, entry: dict[str, Json]) -> np.ndarray:
    first, last = entry["data_offsets"]
    shape = tuple(entry["shape"])
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    count = math.prod(shape)
    if last - first != count * dtype.itemsize or start + last > len(content) or first < 0:
        raise ValueError(f"tensor of shape {shape} is outside the file")
    flat = np.frombuffer(content, dtype, count, start + first)
    return widen_bfloat16(flat, entry["dtype"] == "BF16").reshape(shape)
