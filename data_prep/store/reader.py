"""Opens a prepared dataset and reads any client by one seek."""

import collections
import dataclasses
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from data_prep.store import index as client_index
from data_prep.store import manifest
from data_prep.store.index import ClientIndex
from data_prep.store.manifest import Manifest, Shard, Split
from data_prep.store.parsing import ExampleParser
from data_prep.store.records import Framer
from groundwork.errors import UserError
from groundwork.stores.folders import folder_of
from groundwork.stores.ranges import LocalFile, RemoteFile

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_federated as tff

_CHUNK = 1 << 20


def open_dataset(path: str | os.PathLike[str]) -> "PreparedDataset":
    """Opens the dataset whose manifest is in `path`; UserError on anything wrong."""
    return PreparedDataset(path)


_reopened: "weakref.WeakValueDictionary[tuple[str, str], PreparedDataset]"
_reopened = weakref.WeakValueDictionary()
_latest: collections.deque["PreparedDataset"] = collections.deque(maxlen=4)


def _reopen(path: str, fingerprint: str) -> "PreparedDataset":
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
    """Where a client's records are, and how many there are by the index."""

    file: LocalFile | RemoteFile
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

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._folder = folder_of(path)
        self.path = self._folder.path
        self._folder.bring(manifest.FILE_NAME)
        self._manifest_status = self._folder.status(manifest.FILE_NAME)
        self.manifest: Manifest = manifest.read(self.path)
        self.fingerprint: str = self.manifest.fingerprint
        self._lock = threading.Lock()
        self._indexes: dict[str, ClientIndex] = {}
        self._files: dict[tuple[str, int], LocalFile | RemoteFile] = {}
        self._framer = Framer()
        self._parser = ExampleParser(self.manifest.features)
        for stored in self.manifest.other_files:
            self._folder.bring(stored.file)
        sizes = self._folder.sizes()
        for split in self.manifest.splits.values():
            for shard in split.shards:
                self._check_size(shard, sizes.get(shard.file))

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (self.address, self.fingerprint)

    def __del__(self) -> None:
        for file in getattr(self, "_files", {}).values():
            file.close()

    @property
    def address(self) -> str:
        """By which any process opens it: its folder, or its URL."""
        return self._folder.address

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
        stored = self.split(split)
        with self._lock:
            if split not in self._indexes:
                self._folder.bring(stored.index.file)
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
        buffer = place.file.read(place.offset, place.length)
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
            chunk = place.file.read(offset, size)
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
        """All clients, in their order on disk, each with the stream of its examples."""
        for client_id in self.index(split).client_ids:
            yield client_id, self.stream_client(split, client_id)

    def client_data(
        self, split: str, client_feature: str = ""
    ) -> "tff.simulation.datasets.ClientData":
        """The split for TensorFlow Federated's own simulations.

        Each example has its client's id as a feature of the name given, if one is.
        """
        from data_prep.store import client_data

        if client_feature in (feature.name for feature in self.manifest.features):
            raise UserError(f"{self.path}: its examples have a feature {client_feature!r} already")

        stored = self.split(split).shards
        shards = [(str(self._folder.bring(shard.file)), shard.bytes) for shard in stored]
        return client_data.of_split(self.index(split), shards, self._parser.parse, client_feature)

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
        file = self.split(split).shards[shard].file
        name = f"{self._folder.address}/{file} (client at byte {offset})"
        length, examples = int(index.lengths[row]), int(index.num_examples[row])
        return _Place(self._file(split, shard), offset, length, examples, name)

    def _file(self, split: str, shard: int) -> LocalFile | RemoteFile:
        key = (split, shard)
        known = self._files.get(key)
        if known is not None:
            return known
        stored = self.split(split).shards[shard]
        with self._lock:
            if key not in self._files:
                try:
                    file = self._folder.open(stored.file, stored.sha256, stored.bytes)
                except OSError as error:
                    path = self.path / stored.file
                    raise UserError(f"{path} cannot be opened: {error.strerror}") from None
                try:
                    self._check_same()
                except UserError:
                    file.close()
                    raise
                self._files[key] = file
            return self._files[key]

    def _check_same(self) -> None:
        """What was just opened is of this manifest: a folder replaced since holds another one."""
        status = self._folder.status(manifest.FILE_NAME)
        if status == self._manifest_status:
            return
        if status is not None:
            self._folder.bring(manifest.FILE_NAME)
        if status is None or manifest.read(self.path).fingerprint != self.fingerprint:
            raise UserError(f"{self.path} was replaced by another dataset while it was in use")
        self._manifest_status = status

    def _check_size(self, shard: Shard, size: int | None) -> None:
        path = f"{self._folder.address}/{shard.file}"
        if size is None:
            raise UserError(f"{path} is missing though the manifest names it")
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
        super().__init__(whole.address)
        self.left_out = frozenset(left_out)
        self._remaining: dict[str, ClientIndex] = {}

    def index(self, split: str) -> ClientIndex:
        if split not in self._remaining:
            self._remaining[split] = super().index(split).without(self.left_out)
        return self._remaining[split]
