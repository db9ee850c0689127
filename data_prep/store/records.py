"""TFRecord framing: u64 length, its masked CRC32C, the record, its masked CRC32C."""

import ctypes
import struct

from data_prep.errors import UserError
from data_prep.store import checksum

OVERHEAD = 16
_HEADER = struct.Struct("<QI")
_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_LARGEST_CACHE = 4096


class Framer:
    """Frames records; headers are cached by length, for lengths repeat."""

    def __init__(self) -> None:
        self._extend = checksum.extend()
        self._headers: dict[int, bytes] = {}

    def frame(self, record: bytes) -> bytes:
        length = len(record)
        crc = self._extend(0, record, length)
        return b"".join(
            (self.header(length), record, _CRC.pack(checksum.mask(crc))),
        )

    def header(self, length: int) -> bytes:
        known = self._headers.get(length)
        if known is None:
            packed = _LENGTH.pack(length)
            known = packed + _CRC.pack(checksum.masked(packed))
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
            if checksum.mask(self._extend(0, base + start, length)) != stored:
                raise UserError(
                    f"{where}: damaged record at byte {before + position} (CRC32C differs)"
                )
            records.append(buffer[start:stop])
            position = stop + 4
        return records, position
