"""TFRecord framing: u64 length, its masked CRC32C, the record, its masked CRC32C."""

import struct

import google_crc32c

from groundwork.errors import UserError

OVERHEAD = 16
_HEADER = struct.Struct("<QI")
_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_LARGEST_CACHE = 4096


class Framer:
    """Frames records; headers are cached by length, for lengths repeat."""

    def __init__(self) -> None:
        self._headers: dict[int, bytes] = {}

    def frame(self, record: bytes) -> bytes:
        return b"".join((self.header(len(record)), record, _CRC.pack(masked(record))))

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
            record = buffer[start:stop]
            if masked(record) != stored:
                raise UserError(
                    f"{where}: damaged record at byte {before + position} (CRC32C differs)"
                )
            records.append(record)
            position = stop + 4
        return records, position


def masked(data: bytes) -> int:
    """The CRC32C, rotated so that a CRC of data that holds CRCs is a good check, too."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
