"""Opens a prepared dataset and reads any client by one seek."""

import collections
import dataclasses
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.store import index as client_index
from data_prep.store import manifest
from data_prep.store.index import ClientIndex
from data_prep.store.manifest import Manifest, Shard, Split
from data_prep.store.parsing import ExampleParser
from data_prep.store.records import Framer
from groundwork.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_federated as tff

_CHUNK = 1 << 20


def open_dataset(path: str | os.PathLike[str]) -> "PreparedDataset":
    """Opens the dataset whose manifest is in `path`; UserError on anything wrong."""
    return PreparedDataset(Path(path))


_reopened: "weakref.WeakValueDictionary[tuple[Path, str], PreparedDataset]"
_reopened = weakref.WeakValueDictionary()
_latest: collections.deque["PreparedDataset"] = collections.deque(maxlen=4)


def _reopen(path: Path, fingerprint: str) -> "PreparedDataset":
    """Unpickles a dataset; a process that does so for every client opens it once."""
    known = _reopened.get((path, fingerprint))
    if known is not None:
        return known
    dataset = open_dataset(path)
    if dataset.fingerprint != fingerprint:
        raise UserError(f"{path} was replaced by another dataset while it was in use")
    _reopened[path, fingerprint] = dataset
    _latest.append(dataset)
    return dataset


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where a client's records lie, and how many the index says they are."""

    shard: int
    offset: int
    length: int
    examples: int
    name: str

    def check(self, found: int) -> None:
        if found != self.examples:
            raise UserError(f"{self.name}: {found} records where the index says otherwise")


class PreparedDataset:
    """A checked manifest, an index a split, and positioned reads.

    Safe to share between threads (reads carry their own position) and to pickle (it re-opens).
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._manifest_status = self._status()
        self.manifest: Manifest = manifest.read(self.path)
        self.fingerprint: str = self.manifest.fingerprint
        self._lock = threading.Lock()
        self._indexes: dict[str, ClientIndex] = {}
        self._descriptors: dict[tuple[str, int], int] = {}
        self._framer = Framer()
        self._parser = ExampleParser(self.manifest.features)
        for split in self.manifest.splits.values():
            for shard in split.shards:
                self._check_size(shard)

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (self.path, self.fingerprint)

    def __del__(self) -> None:
        for descriptor in getattr(self, "_descriptors", {}).values():
            os.close(descriptor)

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.manifest.splits)

    def split(self, name: str) -> Split:
        try:
            return self.manifest.splits[name]
        except KeyError:
            raise UserError(
                f"{self.path} has no split {name!r}; it has {', '.join(self.splits)}"
            ) from None

    def index(self, split: str) -> ClientIndex:
        stored = self.split(split).index
        with self._lock:
            if split not in self._indexes:
                try:
                    self._indexes[split] = client_index.read(self.path, stored)
                except UserError:
                    self._check_same()
                    raise
            return self._indexes[split]

    def read_client(self, split: str, client_id: str) -> "dict[str, tf.Tensor]":
        """The client's examples, stacked: one pread, every CRC checked, one parse_example."""
        return self._parser.parse(self.read_records(split, client_id))

    def read_records(self, split: str, client_id: str) -> list[bytes]:
        """The client's examples as serialised tf.train.Example, CRCs checked."""
        place = self._place(split, client_id)
        buffer = self._pread(split, place.shard, place.offset, place.length)
        if len(buffer) != place.length:
            raise UserError(f"{place.name}: the file ends before the client does")
        records = self._framer.split(buffer, place.name)
        place.check(len(records))
        return records

    def stream_client(self, split: str, client_id: str) -> Iterator[bytes]:
        """The same one by one, for a client that is too large to hold."""
        place = self._place(split, client_id)
        offset, end = place.offset, place.offset + place.length
        rest, taken, found = b"", 0, 0
        while offset < end:
            # A record longer than a chunk doubles what is read until it fits.
            size = min(max(_CHUNK, len(rest)), end - offset)
            chunk = self._pread(split, place.shard, offset, size)
            if not chunk:
                raise UserError(f"{place.name}: the file ends before the client does")
            offset += len(chunk)
            rest += chunk
            records, used = self._framer.take(rest, place.name, taken)
            rest, taken, found = rest[used:], taken + used, found + len(records)
            yield from records
        if rest:
            raise UserError(f"{place.name}: cut off inside the record at byte {taken}")
        place.check(found)

    def iterate(self, split: str) -> Iterator[tuple[str, Iterator[bytes]]]:
        """All clients, in the order they lie on disk, each with the stream of its examples."""
        for client_id in self.index(split).client_ids:
            yield client_id, self.stream_client(split, client_id)

    def client_data(self, split: str) -> "tff.simulation.datasets.ClientData":
        """The split for TensorFlow Federated's own simulations."""
        from data_prep.store import client_data

        shards = [(str(self.path / shard.file), shard.bytes) for shard in self.split(split).shards]
        return client_data.of_split(self.index(split), shards, self._parser.parse)

    def slice_of(self, split: str, client_id: str) -> str:
        """The client's examples as TensorFlow Datasets names them, such as `train[386:516]`."""
        index = self.index(split)
        row = index.position(client_id)
        first = int(index.num_examples[:row].sum())
        return f"{split}[{first}:{first + int(index.num_examples[row])}]"

    def parse(self, records: list[bytes]) -> "dict[str, tf.Tensor]":
        """Stacks serialised examples of this dataset."""
        return self._parser.parse(records)

    def _place(self, split: str, client_id: str) -> "_Place":
        index = self.index(split)
        row = index.position(client_id)
        shard, offset = int(index.shards[row]), int(index.offsets[row])
        name = f"{self.path / self.split(split).shards[shard].file} (client at byte {offset})"
        return _Place(shard, offset, int(index.lengths[row]), int(index.num_examples[row]), name)

    def _pread(self, split: str, shard: int, offset: int, length: int) -> bytes:
        descriptor = self._descriptor(split, shard)
        first = os.pread(descriptor, length, offset)
        if len(first) == length:
            return first
        parts = [first]  # A single read is capped near 2 GiB.
        while parts[-1] and (done := sum(map(len, parts))) < length:
            parts.append(os.pread(descriptor, length - done, offset + done))
        return b"".join(parts)

    def _descriptor(self, split: str, shard: int) -> int:
        key = (split, shard)
        known = self._descriptors.get(key)
        if known is not None:
            return known
        path = self.path / self.split(split).shards[shard].file
        with self._lock:
            if key not in self._descriptors:
                try:
                    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                except OSError as error:
                    raise UserError(f"{path} cannot be opened: {error.strerror}") from None
                try:
                    self._check_same()
                except UserError:
                    os.close(descriptor)
                    raise
                self._descriptors[key] = descriptor
            return self._descriptors[key]

    def _status(self) -> tuple[int, int, int] | None:
        try:
            status = os.stat(self.path / manifest.FILE_NAME)
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _check_same(self) -> None:
        """What was just opened is of this manifest: a folder replaced since holds another one."""
        status = self._status()
        if status == self._manifest_status:
            return
        if status is None or manifest.read(self.path).fingerprint != self.fingerprint:
            raise UserError(f"{self.path} was replaced by another dataset while it was in use")
        self._manifest_status = status

    def _check_size(self, shard: Shard) -> None:
        path = self.path / shard.file
        try:
            size = path.stat().st_size
        except OSError:
            raise UserError(f"{path} is missing though the manifest names it") from None
        if size != shard.bytes:
            raise UserError(
                f"{path} has {size:,} bytes where the manifest says {shard.bytes:,}: "
                "it was cut off or changed; prepare the dataset again"
            )


class WithoutClients(PreparedDataset):
    """The same files; in no split's index do the clients left out appear.

    Its fingerprint is that of the files. Pickled it becomes the whole dataset: who takes part is
    decided by whoever holds the index, and a worker only reads the clients it is given.
    """

    def __init__(self, whole: PreparedDataset, left_out: Iterable[str]) -> None:
        super().__init__(whole.path)
        self.left_out = frozenset(left_out)
        self._remaining: dict[str, ClientIndex] = {}

    def index(self, split: str) -> ClientIndex:
        if split not in self._remaining:
            self._remaining[split] = super().index(split).without(self.left_out)
        return self._remaining[split]
