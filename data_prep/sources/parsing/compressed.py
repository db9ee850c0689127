"""Opens plain, gzip, bzip2, xz/lzma, zstd and 7z files alike, and notices when one is cut short."""

import bz2
import contextlib
import functools
import gzip
import io
import lzma
import os
import struct
import threading
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import IO

from data_prep.sources.parsing import bzip2_blocks
from groundwork.errors import UserError

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
_HEAD = 8
_CHUNK, _BUFFER = 1 << 16, 1 << 18
_PIECE = 1 << 12
"""Little at a time: zstandard hands out all that a piece expands to, 32,000 times its size."""
_LZMA_MEMORY = 2 << 30
_LOOKED_AT = 64 << 20
_START_OF_7Z = 32


class TruncatedArchive(Exception):
    """The compressed stream ends before its end mark, or its bytes are damaged."""


def kind(path: str | os.PathLike[str]) -> str | None:
    """The compression by the file's first bytes (names lie), or None for a plain file."""
    with _opened(path) as file:
        return _kind(file.read(_HEAD))


def _kind(head: bytes) -> str | None:
    if head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F:
        return "zstd"  # a skippable frame, as parallel compressors put first
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)


def stem(path: str | os.PathLike[str]) -> str:
    """The file's name without the suffix of its compression."""
    name = Path(path).name
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(suffix)


@contextlib.contextmanager
def open_bytes(path: str | os.PathLike[str], member: str = "") -> Iterator[io.BufferedReader]:
    """Yields the decompressed bytes; a stream cut short raises TruncatedArchive where it ends.

    `member` is the file wanted of a .7z of many.
    """
    compression = kind(path)
    with _opened(path) as file:
        if compression is None:
            yield file
            return
        with _buffered(_decompressed(compression, file, member), path) as stream:
            yield stream


Known = Callable[[], int | None]
_Decompressor = bz2.BZ2Decompressor | lzma.LZMADecompressor


@contextlib.contextmanager
def open_part(
    path: str | os.PathLike[str], start: int, stop: int | None, member: str = ""
) -> Iterator[tuple[io.BufferedReader, Known]]:
    """The bytes from `start` on, and what says how many of them precede `stop`, once that is known.

    Places are bytes of a plain file, and those that `cuts` gave of a compressed one.
    """
    if not start and stop is None:
        with open_bytes(path, member) as file:
            yield file, lambda: None
        return
    with _opened(path) as file:
        if _kind(file.read(_HEAD)) is None:
            file.seek(start)
            yield file, lambda: None if stop is None else stop - start
            return
        precede: list[int] = []

        def blocks() -> Generator[bytes, None, None]:
            total = 0
            for place, content in bzip2_blocks.blocks(file, start):
                if stop is not None and place >= stop and not precede:
                    precede.append(total)
                total += len(content)
                yield content

        with _buffered(blocks(), path) as stream:
            yield stream, lambda: precede[0] if precede else None


def cuts(path: str | os.PathLike[str], size: int) -> list[int]:
    """Places `size` bytes apart where a compressed file can be entered: at blocks of bzip2.

    Gzip has none. Xz and zstd have them in files of several blocks or frames, which their programs
    do not write by default and the Reddit dumps are not.
    """
    if kind(path) != "bzip2":
        return []
    with _opened(path) as file:
        return bzip2_blocks.cuts(file, size)


def damage(path: str) -> str | None:
    """What is wrong with a compressed file, where its beginning shows it."""
    if not os.path.isfile(path) or kind(path) in (None, "7z"):
        return None
    left = _LOOKED_AT
    try:
        with open_bytes(path) as file:
            while left > 0 and (part := file.read(_CHUNK)):
                left -= len(part)
    except TruncatedArchive as error:
        return str(error)
    return None


def _opened(path: str | os.PathLike[str]) -> io.BufferedReader:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def _buffered(
    pieces: Generator[bytes, None, None], path: str | os.PathLike[str]
) -> Iterator[io.BufferedReader]:
    with contextlib.closing(pieces):
        yield io.BufferedReader(_Pieces(pieces, str(path)), _BUFFER)


class _Pieces(io.RawIOBase):
    """Reads what a decompressor gives; its own complaints of damage become TruncatedArchive."""

    def __init__(self, pieces: Iterator[bytes], name: str) -> None:
        self._pieces = pieces
        self._name = name
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        while not self._ready:
            piece = self._next()
            if piece is None:
                return 0
            self._ready = memoryview(piece)
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _next(self) -> bytes | None:
        try:
            return next(self._pieces, None)
        except EOFError:
            raise TruncatedArchive(
                f"{self._name} is truncated: its compressed stream has no end"
            ) from None
        except gzip.BadGzipFile as error:
            why = "other bytes follow its end" if "Not a gzipped file" in str(error) else str(error)
            raise TruncatedArchive(f"{self._name} is damaged: {why}") from error
        except (OSError, ValueError, lzma.LZMAError, zlib.error, MemoryError) as error:
            raise TruncatedArchive(f"{self._name} is damaged: {error}") from error
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            raise TruncatedArchive(f"{self._name} is damaged: {error}") from error


def _decompressed(kind: str, file: IO[bytes], member: str) -> Generator[bytes, None, None]:
    if kind == "gzip":
        return _gzip(file)
    if kind == "7z":
        return _extracted(file.name, _member(file.name, member))
    return _streams(file, _DECOMPRESSORS[kind])


def _gzip(file: IO[bytes]) -> Generator[bytes, None, None]:
    stream = gzip.GzipFile(fileobj=file)
    while piece := stream.read(_BUFFER):  # Much at once: damage shows before its bytes are used.
        yield piece


def _streams(file: IO[bytes], new: Callable[[], _Decompressor]) -> Generator[bytes, None, None]:
    """Compressed streams in a row; the libraries' own files pass over what follows the last one.

    Zstandard's takes a cut frame for a finished one, too.
    """
    stream = new()
    while True:
        compressed = b""
        if stream.eof:
            compressed = _next_stream(file, stream.unused_data)
            if not compressed:
                return
            stream = new()
        elif getattr(stream, "needs_input", True):
            compressed = file.read(_PIECE)
            if not compressed:
                raise EOFError
        # Those that say when they need input also keep what is more than asked for.
        most = [_CHUNK] if hasattr(stream, "needs_input") else []
        yield stream.decompress(compressed, *most)


def _next_stream(file: IO[bytes], rest: bytes) -> bytes:
    """What begins after a stream's end; xz files may have zeros between."""
    while True:
        rest = rest.lstrip(b"\0")
        more = file.read(_PIECE) if len(rest) < _HEAD else b""
        if not more:
            break
        rest += more
    if rest and _kind(rest) is None:
        raise OSError("other bytes follow its end; cut them off, or compress it anew")
    return rest


def _zstd() -> _Decompressor:
    """It has the names of the others, and keeps nothing of what it is given."""
    import zstandard

    context = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW)
    return context.decompressobj()  # type: ignore[return-value]


_lzma = functools.partial(lzma.LZMADecompressor, memlimit=_LZMA_MEMORY)
_DECOMPRESSORS: Mapping[str, Callable[[], _Decompressor]] = {
    "bzip2": bz2.BZ2Decompressor,
    "xz": _lzma,
    "lzma": _lzma,
    "zstd": _zstd,
}


def _extracted(path: str, member: str) -> Generator[bytes, None, None]:
    """A member of a 7z archive, which py7zr pushes: from a thread of its own, through a pipe."""
    read_end, write_end = os.pipe()
    failed: list[Exception] = []
    thread = threading.Thread(target=_extract, args=(path, member, write_end, failed), daemon=True)
    thread.start()
    try:
        while piece := os.read(read_end, _CHUNK):
            yield piece
    finally:
        os.close(read_end)  # A reader that leaves early ends the thread by its next write.
    thread.join()
    if failed:
        raise OSError(str(failed[0])) from failed[0]


def _extract(path: str, member: str, write_end: int, failed: list[Exception]) -> None:
    import py7zr

    with open(write_end, "wb", buffering=0) as pipe:
        try:
            with py7zr.SevenZipFile(path) as archive:
                archive.extract(targets=[member], factory=_factory(pipe.write))
        except Exception as error:  # py7zr raises many kinds for damaged archives
            failed.append(error)


def _member(path: str, name: str) -> str:
    try:
        import py7zr
    except ImportError as error:
        raise UserError(
            f"{path}: 7z archives need py7zr, which is not installed; add it with"
            " `pip install fed_pretrain[7z]`, or unpack the archive"
        ) from error
    try:
        with py7zr.SevenZipFile(path) as archive:
            members = [member.filename for member in archive.list() if not member.is_directory]
    except Exception as error:
        raise UserError(f"{path} is truncated or no 7z archive: {error}") from error
    if os.path.getsize(path) > _end_of_7z(path):
        raise UserError(f"{path} is damaged: other bytes follow its end; cut them off")
    wanted = [member for member in members if Path(member).name == name] or members
    if len(wanted) != 1:
        raise UserError(f"{path} holds {len(members)} files and none of them is {name}")
    return wanted[0]


def _end_of_7z(path: str) -> int:
    """Its last part is the header, whose place and size its first bytes give."""
    with open(path, "rb") as file:
        offset, size = struct.unpack_from("<QQ", file.read(_START_OF_7Z), 12)
    return _START_OF_7Z + int(offset) + int(size)


def _factory(put: Callable[[bytes], object]):  # type: ignore[no-untyped-def]
    from py7zr import io as py7zr_io

    class Pipe(py7zr_io.Py7zIO):
        written = 0

        def write(self, s: bytes | bytearray) -> int:
            put(bytes(s))
            self.written += len(s)
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return offset

        def flush(self) -> None:
            pass

        def size(self) -> int:
            return self.written

    class Factory(py7zr_io.WriterFactory):
        def create(self, filename: str) -> Pipe:
            return Pipe()

    return Factory()
