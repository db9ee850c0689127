"""Parts of a file of a store, kept on the disk: what was read once is read from there.

A file's parts are in a sparse file named after its address and its sha256, beside a byte for each
block that is there. Processes may share them: a block is marked after it is durable. The sha256
alone would be what somebody else's manifest claims.
"""

import hashlib
import os
from pathlib import Path

from groundwork.errors import UserError
from groundwork.stores import mirror, store

_BLOCK = 1 << 20


class LocalFile:
    """A file on this machine, read at any place by any thread."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, offset: int, length: int) -> bytes:
        first = os.pread(self._descriptor, length, offset)
        if len(first) == length:
            return first
        parts = [first]  # A single read is capped near 2 GiB.
        while parts[-1] and (done := sum(map(len, parts))) < length:
            parts.append(os.pread(self._descriptor, length - done, offset + done))
        return b"".join(parts)

    def close(self) -> None:
        os.close(self._descriptor)


class RemoteFile:
    """A file of a store, of which the blocks that are read come here."""

    def __init__(self, url: str, sha256: str, size: int) -> None:
        folder = mirror.made_private() / "parts"
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._url, self._size = url, size
        name = hashlib.sha256(f"{url}\n{size}\n{sha256}".encode()).hexdigest()
        self._parts = os.open(folder / name, flags, 0o644)
        self._marks = os.open(folder / f"{name}.blocks", flags, 0o644)
        os.truncate(self._parts, size)
        os.truncate(self._marks, -(-size // _BLOCK))
        self._local = LocalFile(folder / name)

    def read(self, offset: int, length: int) -> bytes:
        first, last = offset // _BLOCK, -(-(offset + length) // _BLOCK)
        marks = os.pread(self._marks, last - first, first)
        missing = [first + place for place, mark in enumerate(marks) if not mark]
        for start, stop in _together(missing):
            self._fetch(start, stop)
        return self._local.read(offset, length)

    def _fetch(self, start: int, stop: int) -> None:
        begin, end = start * _BLOCK, min(stop * _BLOCK, self._size)
        try:
            content = store.read(self._url, begin, end)
        except FileNotFoundError:
            raise UserError(f"{self._url} is not there any more") from None
        if len(content) != end - begin:
            raise UserError(f"{self._url}: the file ends before byte {end:,}")
        os.pwrite(self._parts, content, begin)
        os.fdatasync(self._parts)
        os.pwrite(self._marks, b"\1" * (stop - start), start)

    def close(self) -> None:
        self._local.close()
        os.close(self._parts)
        os.close(self._marks)


def _together(blocks: list[int]) -> list[tuple[int, int]]:
    """Neighbouring blocks as ranges."""
    ranges: list[tuple[int, int]] = []
    for block in blocks:
        if ranges and ranges[-1][1] == block:
            ranges[-1] = (ranges[-1][0], block + 1)
        else:
            ranges.append((block, block + 1))
    return ranges
