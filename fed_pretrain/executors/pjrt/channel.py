"""Messages with arrays between two processes: a Unix socket for words, shared memory for numbers.

A message is a dict as JSON; its arrays are in memory that its sender owns and the receiver maps.
What a receiver was given is valid until it answers. The memory has no name: it is gone with the
processes, however they end. Both sides import this module, so it needs NumPy only.
"""

import json
import mmap
import os
import socket
import struct
from collections.abc import Sequence

import numpy as np

from groundwork.untyped import Json

_LENGTH = struct.Struct("!Q")
_ALIGNMENT = 64
Form = tuple[str, Sequence[int]]
"""The name of an array's dtype, and its shape."""


class Closed(Exception):
    """The other process is gone."""


class Channel:
    """One end; each message of one side is answered by one of the other."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._file, self._told = -1, False
        self._grow(mmap.PAGESIZE)
        self._theirs = self._mine
        self._placed: list[Json] = []

    def reserve(self, forms: Sequence[Form]) -> list[np.ndarray]:
        """Arrays for the next message to carry, to be filled in place."""
        self._placed, end = [], 0
        for dtype, shape in forms:
            self._placed.append([dtype, list(shape), end])
            count = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            end += -(-count // _ALIGNMENT) * _ALIGNMENT
        if end > len(self._mine):
            self._grow(max(end, 2 * len(self._mine)))
        return _views(self._mine, self._placed)

    def send(self, message: Json, arrays: Sequence[np.ndarray] | None = None) -> None:
        """With `arrays`, or with those that `reserve` gave."""
        if arrays is not None:
            views = self.reserve([(a.dtype.name, a.shape) for a in arrays])
            for view, array in zip(views, arrays, strict=True):
                view[...] = array
        text = json.dumps({**message, "arrays": self._placed}).encode()
        length = _LENGTH.pack(len(text))
        try:
            if self._told:
                self._socket.sendall(length)
            else:
                socket.send_fds(self._socket, [length], [self._file])
                self._told = True
            self._socket.sendall(text)
        except OSError as error:
            raise Closed(str(error)) from error
        self._placed = []

    def receive(self, timeout: float | None = None) -> tuple[Json, list[np.ndarray]]:
        """The next message and views of its arrays; TimeoutError after that many seconds."""
        self._socket.settimeout(timeout)
        try:
            length, files, _, _ = socket.recv_fds(self._socket, _LENGTH.size, 1)
            length += self._exactly(_LENGTH.size - len(length))
            message = json.loads(self._exactly(_LENGTH.unpack(length)[0]))
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from error
        finally:
            self._socket.settimeout(None)
        for file in files:
            self._theirs = mmap.mmap(file, os.fstat(file).st_size)
            os.close(file)
        return message, _views(self._theirs, message.pop("arrays"))

    def close(self) -> None:
        self._socket.close()
        os.close(self._file)

    def _grow(self, size: int) -> None:
        """A new file: views of the old one stay valid."""
        if self._file >= 0:
            os.close(self._file)
        self._file = os.memfd_create("fed-pretrain-arrays")
        os.ftruncate(self._file, size)
        self._mine = mmap.mmap(self._file, size)
        self._told = False

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(count - len(parts))
            if not part:
                raise Closed("the other process closed the connection")
            parts += part
        return bytes(parts)


def _views(memory: mmap.mmap, placed: Json) -> list[np.ndarray]:
    return [np.ndarray(shape, dtype, memory, offset) for dtype, shape, offset in placed]
