"""CRC32C, as TFRecord files carry it, at memory speed.

TensorFlow's shared library exports its own implementation; loading that library alone takes
milliseconds and leaves TensorFlow unimported. Where it is missing, tables do the work in NumPy.
"""

import ctypes
import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

_SYMBOL = "_ZN3tsl6crc32c6ExtendEjPKcm"
_LIBRARIES = ("libtensorflow_framework.so.2", "libtensorflow_framework.2.dylib")
_POLYNOMIAL = 0x82F63B78
_BLOCK = 1024

Extend = Callable[[int, "bytes | int", int], int]
"""(crc so far, bytes or their address, length) -> crc."""


@functools.cache
def library_extend() -> Extend | None:
    """TensorFlow's `crc32c::Extend`, or None where its library does not export it."""
    found = importlib.util.find_spec("tensorflow")
    if found is None or found.origin is None:
        return None
    for name in _LIBRARIES:
        try:
            function = getattr(ctypes.CDLL(str(Path(found.origin).parent / name)), _SYMBOL)
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_uint32
        function.argtypes = (ctypes.c_uint32, ctypes.c_void_p, ctypes.c_size_t)
        return function if function(0, b"123456789", 9) == 0xE3069283 else None
    return None


@functools.cache
def _byte_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


@functools.cache
def _position_tables() -> np.ndarray:
    """Row k: what a byte adds to the CRC when k bytes follow it (CRC is linear over GF(2))."""
    byte = _byte_table()
    rows = [byte]
    for _ in range(_BLOCK - 1):
        rows.append((rows[-1] >> 8) ^ byte[rows[-1] & 0xFF])
    return np.stack(rows)


def extend_with_tables(crc: int, data: bytes, length: int) -> int:
    """The same function without TensorFlow's library."""
    tables = _position_tables()
    state = crc ^ 0xFFFFFFFF
    view = np.frombuffer(data, np.uint8, length)
    for start in range(0, length, _BLOCK):
        block = view[start : start + _BLOCK].astype(np.intp)
        head = np.frombuffer(state.to_bytes(4, "little"), np.uint8)[: len(block)]
        block[: len(head)] ^= head
        positions = np.arange(len(block) - 1, -1, -1)
        mixed = int(np.bitwise_xor.reduce(tables[positions, block]))
        state = mixed ^ (state >> (8 * len(block)))
    return state ^ 0xFFFFFFFF


def _extend_with_tables_at(crc: int, data: "bytes | int", length: int) -> int:
    content = ctypes.string_at(data, length) if isinstance(data, int) else data
    return extend_with_tables(crc, content, length)


def extend() -> Extend:
    return library_extend() or _extend_with_tables_at


def mask(crc: int) -> int:
    """TFRecord's rotation, so that a CRC of data that holds CRCs stays a good check."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def masked(data: bytes) -> int:
    return mask(extend()(0, data, len(data)))
