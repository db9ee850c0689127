"""GGUF version 3, with the block types of the embedded SmolLM2 file."""

import io
import math
import struct
from typing import Any

import numpy as np

from fed_pretrain.starts.formats.source_file import ReadBudget

MAGIC = b"GGUF"
_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9
_MOST_DIMENSIONS = 4
_Q4_1 = np.dtype([("scale", "<f2"), ("minimum", "<f2"), ("quants", "u1", (16,))])
_Q8_0 = np.dtype([("scale", "<f2"), ("quants", "i1", (32,))])


def read(path: str) -> dict[str, np.ndarray]:
    """All tensors as float32, under their GGUF names; shapes as NumPy writes them."""
    with open(path, "rb") as file:
        content = file.read()
    return _parse(content, ReadBudget(path, len(content)))


def _parse(content: bytes, budget: ReadBudget) -> dict[str, np.ndarray]:
    stream = io.BytesIO(content)
    stream.seek(len(MAGIC))
    version = _scalar(stream, "I")
    if version != 3:
        raise ValueError(f"version {version}")
    tensors, pairs = _scalar(stream, "Q"), _scalar(stream, "Q")
    metadata = {_string(stream): _value(stream, _scalar(stream, "I")) for _ in range(pairs)}
    infos = [_info(stream) for _ in range(tensors)]
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or alignment < 1:
        raise ValueError(f"general.alignment is {alignment!r:.40}, not a positive number")
    start = -(-stream.tell() // alignment) * alignment
    for _, shape, _, _ in infos:
        budget.take(4 * math.prod(shape))
    return {name: _tensor(content, start + at, shape, kind) for name, shape, kind, at in infos}


def _info(stream: io.BytesIO) -> tuple[str, tuple[int, ...], int, int]:
    name = _string(stream)
    rank = _scalar(stream, "I")
    if rank > _MOST_DIMENSIONS:
        raise ValueError(f"a tensor of {rank} dimensions")
    sizes = [_scalar(stream, "Q") for _ in range(rank)]
    return name, tuple(reversed(sizes)), _scalar(stream, "I"), _scalar(stream, "Q")


def _tensor(content: bytes, start: int, shape: tuple[int, ...], kind: int) -> np.ndarray:
    count = math.prod(shape)
    if kind == 0:
        return np.frombuffer(content, "<f4", count, start).reshape(shape)
    if kind == 1:
        return np.frombuffer(content, "<f2", count, start).astype(np.float32).reshape(shape)
    if kind == 3:
        blocks = np.frombuffer(content, _Q4_1, count // 32, start)
        quants = np.concatenate([blocks["quants"] & 15, blocks["quants"] >> 4], axis=1)
        offset = blocks["minimum"].astype(np.float32)[:, None]
        return (quants * blocks["scale"].astype(np.float32)[:, None] + offset).reshape(shape)
    if kind == 8:
        blocks = np.frombuffer(content, _Q8_0, count // 32, start)
        return (blocks["quants"] * blocks["scale"].astype(np.float32)[:, None]).reshape(shape)
    raise ValueError(f"tensor type {kind}")


def _scalar(stream: io.BytesIO, code: str) -> Any:
    return struct.unpack(f"<{code}", stream.read(struct.calcsize(f"<{code}")))[0]


def _string(stream: io.BytesIO) -> str:
    length = _scalar(stream, "Q")
    content = stream.read(length)
    if len(content) != length:
        raise ValueError("a string ends beyond the file")
    return content.decode("utf-8")


def _value(stream: io.BytesIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(stream)
    if kind == _ARRAY:
        member, count = _scalar(stream, "I"), _scalar(stream, "Q")
        if member == _ARRAY:
            raise ValueError("an array of arrays")
        return [_value(stream, member) for _ in range(count)]
    return _scalar(stream, _SCALARS[kind])
