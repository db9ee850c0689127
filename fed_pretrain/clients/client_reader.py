"""One client of a split, from the store to the payload of a round."""

import collections
import dataclasses
import functools
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import numpy as np

from fed_pretrain.clients.encoder import Encoder, Features
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload

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


Payload = collections.OrderedDict[str, np.ndarray]


class Index(Protocol):
    num_examples: np.ndarray

    @property
    def client_ids(self) -> Sequence[str]: ...

    def position(self, client_id: str) -> int: ...


class StoredClients(Protocol):
    """The part of a prepared dataset that clients are read from."""

    def index(self, split: str) -> Index: ...

    def read_records(self, split: str, client_id: str) -> list[bytes]: ...

    def read_client(self, split: str, client_id: str) -> Features: ...

    def parse(self, records: list[bytes]) -> Features: ...


@dataclasses.dataclass(frozen=True)
class ClientReader:
    """Reads with one `pread`, encodes, and remembers what it encoded; picklable."""

    dataset: StoredClients
    split: str
    encoder: Encoder
    cache: ClientCache

    def __call__(
        self, client_id: str, work: LocalWork, seed: int, round_number: int
    ) -> "collections.OrderedDict[str, np.ndarray]":
        x, y = self.rows(client_id, work.max_examples)
        return make_payload(x, y, work, seed, round_number, client_id)

    def bind(
        self, client_id: str, work: LocalWork, seed: int, round_number: int
    ) -> "Callable[[], Payload]":
        """The `read` of an executor's ClientInput."""
        return functools.partial(self, client_id, work, seed, round_number)

    def rows(self, client_id: str, max_examples: int | None = None) -> Rows:
        """The client's encoded rows, of its first `max_examples` stored examples."""
        key = (self.split, client_id, max_examples)
        return self.cache.get(key, functools.partial(self.fresh_rows, client_id, max_examples))

    def holds(self, client_id: str, max_examples: int | None = None) -> bool:
        """Whether these rows are in memory already."""
        return (self.split, client_id, max_examples) in self.cache

    @property
    def client_ids(self) -> Sequence[str]:
        return self.dataset.index(self.split).client_ids

    def fresh_rows(self, client_id: str, max_examples: int | None = None) -> Rows:
        """As `rows`, past the cache: for reading a whole split once."""
        records = self.dataset.read_records(self.split, client_id)[:max_examples]
        x, y = self.encoder.encode(self.dataset.parse(records))
        if len(x) != len(y):
            raise ValueError(f"{type(self.encoder).__name__} gave {len(x)} x and {len(y)} y rows")
        return np.ascontiguousarray(x), np.ascontiguousarray(y, dtype=self.encoder.y_dtype)


class CohortPrefetch:
    """One background thread; a cohort that is not read in time is simply read when needed."""

    def __init__(self, reader: ClientReader) -> None:
        self._reader = reader
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def start(self, client_ids: Sequence[str], max_examples: int | None = None) -> None:
        """Begins to read these clients; what an earlier call had left to read is dropped."""
        self.close()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._read,
            args=(list(client_ids), max_examples, self._stop),
            name="cohort-prefetch",
            daemon=True,
        )
        self._thread.start()

    def wait(self) -> None:
        """Returns when the started cohort is read."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Ends the thread after the client it is reading."""
        self._stop.set()
        self.wait()
        self._thread = None

    def _read(self, client_ids: list[str], max_examples: int | None, stop: threading.Event) -> None:
        # Half of the cache stays with the cohort that is training now.
        budget = self._reader.cache.max_bytes // 2
        for client_id in client_ids:
            if stop.is_set() or budget <= 0:
                return
            try:
                x, y = self._reader.rows(client_id, max_examples)
            except Exception:
                # The client's own read meets the same error, where someone can hear it.
                return
            budget -= x.nbytes + y.nbytes

    def __enter__(self) -> "CohortPrefetch":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
