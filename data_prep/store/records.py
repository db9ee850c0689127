"""TFRecord framing: u64 length, its masked CRC32C, the record, its masked CRC32C."""

import ctypes
import functools
import importlib.util
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from groundwork.errors import UserError

OVERHEAD = 16
_HEADER = struct.Struct("<QI")
_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_LARGEST_CACHE = 4096


class Framer:
    """Frames records; headers are cached by length, for lengths repeat."""

    def __init__(self) -> None:
        self._extend = extend()
        self._headers: dict[int, bytes] = {}

    def frame(self, record: bytes) -> bytes:
        length = len(record)
        crc = self._extend(0, record, length)
        return b"".join(
            (self.header(length), record, _CRC.pack(mask(crc))),
        )

    def header(self, length: int) -> bytes:
        known = self._headers.get(length)
        if known is None:
            packed = _LENGTH.pack(length)
            known = packed + _CRC.pack(masked(packed))
            if len(self._headers) < _LARGEST_CACHE:
                self._headers[length] = known
        return known

    def split(self, buffer: bytes, where: str) -> list[bytes]:
        """The records of a whole buffer; UserError naming `where` and the byte of any damage."""
        records, end = self.take(buffer, where)
        if end != len(buffer):
            raise UserError(f"{where}: cut off inside the record at byte {end}")
        return records

    def take(self, buffer: bytes, where: str, before: int = 0) -> tuple[list[bytes], int]:
        """The complete records at the buffer's start, and where the rest begins.

        `before` counts bytes that came earlier, for the message of a damaged record.
        """
        size = len(buffer)
        # The address of a bytes object's content: CRCs are computed in place, without a slice.
        base = ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0
        records: list[bytes] = []
        position = 0
        while position + OVERHEAD <= size:
            (length,) = _LENGTH.unpack_from(buffer, position)
            start = position + 12
            if buffer[position:start] != self.header(length):
                raise UserError(f"{where}: damaged record header at byte {before + position}")
            stop = start + length
            if stop + 4 > size:
                break
            (stored,) = _CRC.unpack_from(buffer, stop)
            if mask(self._extend(0, base + start, length)) != stored:
                raise UserError(
                    f"{where}: damaged record at byte {before + position} (CRC32C differs)"
                )
            records.append(buffer[start:stop])
            position = stop + 4
        return records, position


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
