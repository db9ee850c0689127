"""Encoded clients that recur, kept within a bound of bytes."""

import collections
import threading
from collections.abc import Callable, Hashable

import numpy as np

Rows = tuple[np.ndarray, np.ndarray]


class ClientCache:
    """Least-recently-used rows; thread-safe; travels empty when pickled."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._rows: collections.OrderedDict[Hashable, Rows] = collections.OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Rows]) -> Rows:
        """The rows under `key`, made now if they are not held."""
        with self._lock:
            if key in self._rows:
                self._rows.move_to_end(key)
                return self._rows[key]
        rows = make()
        for array in rows:
            array.setflags(write=False)
        self._keep(key, rows)
        return rows

    def _keep(self, key: Hashable, rows: Rows) -> None:
        size = _size(rows)
        with self._lock:
            if key in self._rows or size > self.max_bytes:
                return
            self._rows[key] = rows
            self._bytes += size
            while self._bytes > self.max_bytes:
                _, dropped = self._rows.popitem(last=False)
                self._bytes -= _size(dropped)

    @property
    def held_bytes(self) -> int:
        return self._bytes

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._rows

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return ClientCache, (self.max_bytes,)


def _size(rows: Rows) -> int:
    return sum(array.nbytes for array in rows)
