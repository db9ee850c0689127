"""Opens plain, gzip, bzip2, xz/lzma, zstd and 7z files alike, and notices when one is cut short."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from data_prep.errors import UserError
from data_prep.sources import seven_zip

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"]\x00\x00": "lzma",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
}
SUFFIXES = (".gz", ".bz2", ".xz", ".lzma", ".zst", ".zstd", ".7z")
ZSTD_MAX_WINDOW = 2**31  # the Reddit dumps are written with --long=31
_CHUNK = 1 << 16


class TruncatedArchive(Exception):
    """The compressed stream ends before its end mark, or its bytes are damaged."""


def kind(path: str | os.PathLike[str]) -> str | None:
    """The compression by the file's first bytes (names lie), or None for a plain file."""
    with _opened(path) as file:
        head = file.read(8)
    if head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F:
        return "zstd"  # a skippable frame, as parallel compressors put first
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)


def stem(path: str | os.PathLike[str]) -> str:
    """The file's name without the suffix of its compression."""
    name = Path(path).name
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(suffix)


@contextlib.contextmanager
def open_bytes(
    path: str | os.PathLike[str], start: int = 0, member: str = ""
) -> Iterator[IO[bytes]]:
    """Yields the decompressed bytes; a stream cut short raises TruncatedArchive where it ends.

    Only a plain file can be opened at a `start`; `member` is the file wanted of a .7z of many.
    """
    compression = kind(path)
    with _opened(path) as file:
        if compression is None:
            file.seek(start)
            yield file
            return
        assert not start, "a compressed stream has no middle to start from"
        with _decompressor(compression, file, member) as stream:
            yield io.BufferedReader(_Guarded(stream, str(path)), 1 << 18)


def _opened(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def _decompressor(kind: str, file: IO[bytes], member: str) -> IO[bytes]:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if kind == "bzip2":
        return bz2.BZ2File(file)
    if kind in ("xz", "lzma"):
        return lzma.LZMAFile(file)
    if kind == "zstd":
        return _ZstdFile(file)  # type: ignore[return-value]
    if kind == "7z":
        return seven_zip.MemberFile(file.name, member)  # type: ignore[return-value]
    raise AssertionError(kind)


class _ZstdFile(io.RawIOBase):
    """zstandard's own stream reader takes a cut frame for a finished one; this one does not."""

    def __init__(self, file: IO[bytes]) -> None:
        import zstandard

        self._file = file
        self._context = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW)
        self._frame = self._context.decompressobj()
        self._ready = memoryview(b"")
        self._inside_frame = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        while not self._ready:
            compressed = self._file.read(_CHUNK)
            if not compressed:
                if self._inside_frame:
                    raise EOFError("the last zstd frame has no end")
                return 0
            self._ready = memoryview(b"".join(self._frames(compressed)))
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _frames(self, compressed: bytes) -> Iterator[bytes]:
        while compressed:
            yield self._frame.decompress(compressed)
            self._inside_frame = not self._frame.eof
            if self._inside_frame:
                return
            compressed = self._frame.unused_data
            self._frame = self._context.decompressobj()


class _Guarded(io.RawIOBase):
    """Turns each library's own complaint about a damaged stream into TruncatedArchive."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        try:
            data = self._stream.read(len(buffer))
        except EOFError:
            raise TruncatedArchive(
                f"{self._name} is truncated: its compressed stream has no end"
            ) from None
        except (OSError, lzma.LZMAError, zlib.error) as error:
            raise TruncatedArchive(f"{self._name} is damaged: {error}") from error
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            raise TruncatedArchive(f"{self._name} is damaged: {error}") from error
        buffer[: len(data)] = data
        return len(data)
