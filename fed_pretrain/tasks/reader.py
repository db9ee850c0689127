"""One client of a split, from the store to the payload of a round."""

import collections
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fed_pretrain.tasks.cache import ClientCache, Rows
from fed_pretrain.tasks.encoder import Encoder
from fed_pretrain.tasks.local_work import LocalWork
from fed_pretrain.tasks.payload import make_payload

Payload = collections.OrderedDict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class ClientReader:
    """Reads with one `pread`, encodes, and remembers what it encoded; picklable."""

    dataset: Any
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
        return np.ascontiguousarray(x), np.ascontiguousarray(y, dtype=np.int32)
