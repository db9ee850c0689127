"""Opens plain, gzip, bzip2, xz/lzma, zstd and 7z files alike, and notices when one is cut short."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import queue
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol

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
_CHUNK = 1 << 16
_PIECE = 1 << 12
"""Little at a time: zstandard hands out all that a piece expands to, 32,000 times its size."""
_LZMA_MEMORY = 2 << 30


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
    if kind == "7z":
        return MemberFile(file.name, member)  # type: ignore[return-value]
    return _Streams(file, _DECOMPRESSORS[kind])  # type: ignore[return-value]


class _Decompressor(Protocol):
    """Of bz2 and lzma; `needs_input`, where it is, says whether it must be given more."""

    @property
    def eof(self) -> bool:
        """Whether its stream has ended."""

    @property
    def unused_data(self) -> bytes:
        """What follows the end."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """At most `max_length` bytes, where it can keep the rest."""


class _Streams(io.RawIOBase):
    """Compressed streams in a row; the libraries' own files pass over what follows the last one.

    Zstandard's takes a cut frame for a finished one, too.
    """

    def __init__(self, file: IO[bytes], new: Callable[[], _Decompressor]) -> None:
        self._file = file
        self._new = new
        self._stream = new()
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        while not self._ready:
            if not self._advance():
                return 0
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _advance(self) -> bool:
        """Decompresses some more; whether there was any."""
        compressed = b""
        if self._stream.eof:
            compressed = self._next_stream(self._stream.unused_data)
            if not compressed:
                return False
            self._stream = self._new()
        elif getattr(self._stream, "needs_input", True):
            compressed = self._file.read(_PIECE)
            if not compressed:
                raise EOFError("the last stream has no end")
        self._ready = memoryview(self._stream.decompress(compressed, _CHUNK))
        return True

    def _next_stream(self, rest: bytes) -> bytes:
        """What begins after a stream's end; xz files may have zeros between."""
        while True:
            rest = rest.lstrip(b"\0")
            more = self._file.read(_PIECE) if len(rest) < _HEAD else b""
            if not more:
                break
            rest += more
        if rest and _kind(rest) is None:
            raise OSError("other bytes follow its end; cut them off, or compress it anew")
        return rest


class _Zstd:
    """zstandard's decompressor, called as those of bz2 and lzma are."""

    def __init__(self) -> None:
        import zstandard

        context = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW)
        self._frame = context.decompressobj()

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof)

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._frame.decompress(data)


_DECOMPRESSORS: Mapping[str, Callable[[], _Decompressor]] = {
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY),
    "zstd": _Zstd,
}


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
        except gzip.BadGzipFile as error:
            why = "other bytes follow its end" if "Not a gzipped file" in str(error) else str(error)
            raise TruncatedArchive(f"{self._name} is damaged: {why}") from error
        except (OSError, lzma.LZMAError, zlib.error, MemoryError) as error:
            raise TruncatedArchive(f"{self._name} is damaged: {error}") from error
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            raise TruncatedArchive(f"{self._name} is damaged: {error}") from error
        buffer[: len(data)] = data
        return len(data)


_WAITING = 64
_END = None


class _Abandoned(Exception):
    """The reader went away."""


class MemberFile(io.RawIOBase):
    """Reads the archive's member `name`, or its only member."""

    def __init__(self, path: str, name: str) -> None:
        self._member = _member(path, name)
        self._path = path
        self._chunks: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._abandoned = threading.Event()
        self._error: Exception | None = None
        self._ready = memoryview(b"")
        self._ended = False
        self._thread = threading.Thread(target=self._extract, daemon=True)
        self._thread.start()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        while not self._ready:
            if self._ended:
                return 0
            chunk = self._chunks.get()
            if chunk is _END:
                self._ended = True
                if self._error:
                    raise OSError(str(self._error)) from self._error
                return 0
            self._ready = memoryview(chunk)
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        self._abandoned.set()
        super().close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _extract(self) -> None:
        import py7zr

        try:
            with py7zr.SevenZipFile(self._path) as archive:
                archive.extract(targets=[self._member], factory=_factory(self._put))
        except _Abandoned:
            return
        except Exception as error:  # py7zr raises many kinds for damaged archives
            self._error = error
        try:
            self._put_item(_END)
        except _Abandoned:
            return

    def _put(self, chunk: bytes) -> None:
        if chunk:
            self._put_item(bytes(chunk))

    def _put_item(self, item: bytes | None) -> None:
        while not self._abandoned.is_set():
            try:
                return self._chunks.put(item, timeout=0.2)
            except queue.Full:
                continue
        raise _Abandoned


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
    wanted = [member for member in members if Path(member).name == name] or members
    if len(wanted) != 1:
        raise UserError(f"{path} holds {len(members)} files and none of them is {name}")
    return wanted[0]


def _factory(put: Callable[[bytes], None]):  # type: ignore[no-untyped-def]
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
