"""One member of a .7z archive as a stream: py7zr pushes, a bounded queue lets us pull."""

import io
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from data_prep.errors import UserError

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
    import py7zr

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
