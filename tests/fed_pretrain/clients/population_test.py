"""The rows of all clients, counted against encoding every one of them."""

import dataclasses

import numpy as np

from fed_pretrain.clients import population
from fed_pretrain.clients.client_reader import ClientCache, ClientReader
from fed_pretrain.clients.encoder import Encoder


@dataclasses.dataclass(frozen=True)
class Clients:
    """As many examples as `sizes` says, each of them its client's number."""

    sizes: tuple[int, ...]

    def index(self, split: str) -> "Clients":
        return self

    @property
    def client_ids(self) -> list[str]:
        return [str(number) for number in range(len(self.sizes))]

    @property
    def num_examples(self) -> np.ndarray:
        return np.array(self.sizes)

    def read_records(self, split: str, client_id: str) -> list[bytes]:
        return [client_id.encode()] * self.sizes[int(client_id)]

    def parse(self, records: list[bytes]) -> dict[str, np.ndarray]:
        return {"x": np.array([int(record) for record in records], np.int64)}


class Repeated(Encoder):
    """Every example `times` times, and once more for its client's number if it grows."""

    def __init__(self, times: int, grows: bool = False) -> None:
        self.times, self.grows = times, grows

    def encode(self, features):
        x = features["x"]
        x = np.repeat(x, self.times + x * self.grows)
        return x, x


def reader(sizes: tuple[int, ...], times: int, grows: bool = False) -> ClientReader:
    return ClientReader(Clients(sizes), "train", Repeated(times, grows), ClientCache(0))


def test_the_rows_of_few_clients_are_counted_one_by_one() -> None:
    sizes = (3, 1, 40)
    assert population.count_rows(reader(sizes, 2, grows=True)) == 2 * 3 + 3 * 1 + 4 * 40
    assert population.count_rows(reader(sizes, 2), max_examples=5) == 2 * (3 + 1 + 5)


def test_the_rows_of_many_clients_follow_from_their_examples() -> None:
    sizes = tuple(np.random.default_rng(0).integers(1, 30, 1000).tolist())
    assert population.count_rows(reader(sizes, 1)) == sum(sizes)
    assert population.count_rows(reader(sizes, 5), 7) == 5 * sum(min(size, 7) for size in sizes)
