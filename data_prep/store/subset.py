"""A prepared dataset as if some of its clients were not there."""

from collections.abc import Iterable

from data_prep.store.index import ClientIndex
from data_prep.store.reader import PreparedDataset


class WithoutClients(PreparedDataset):
    """The same files; in no split's index do the clients left out appear.

    Its fingerprint is that of the files. Pickled it becomes the whole dataset: who takes part is
    decided by whoever holds the index, and a worker only reads the clients it is told to.
    """

    def __init__(self, whole: PreparedDataset, left_out: Iterable[str]) -> None:
        super().__init__(whole.path)
        self.left_out = frozenset(left_out)
        self._remaining: dict[str, ClientIndex] = {}

    def index(self, split: str) -> ClientIndex:
        if split not in self._remaining:
            self._remaining[split] = super().index(split).without(self.left_out)
        return self._remaining[split]
