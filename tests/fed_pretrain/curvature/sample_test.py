import math
from types import SimpleNamespace

import numpy as np
import pytest

from fed_pretrain.clients.client_reader import ClientCache
from fed_pretrain.curvature import sample

INDEX = SimpleNamespace(client_ids=["a", "b", "c"], num_examples=np.array([10, 0, 990]))


def test_the_draw_is_in_proportion_to_client_size_and_without_replacement():
    drawn = sample.draw(INDEX, 500, 0)
    sizes = {name: len(rows) for name, rows in drawn.clients}
    assert drawn.examples == sum(sizes.values()) == 500
    assert 1 <= sizes["a"] <= 10
    assert "b" not in sizes
    for name, rows in drawn.clients:
        assert len(set(rows)) == len(rows)
        assert max(rows) < INDEX.num_examples[INDEX.client_ids.index(name)]
    assert sample.draw(INDEX, 500, 0) == drawn != sample.draw(INDEX, 500, 1)


def test_all_examples_are_taken_when_asked_or_when_there_are_too_few():
    assert sample.draw(INDEX, None, 0).examples == 1000
    assert sample.draw(INDEX, 5000, 0) == sample.draw(INDEX, None, 0)


@pytest.mark.parametrize("rows", [1, 3, 17, 40, 128, 129, 226, 1000])
def test_a_clients_batches_hold_its_rows_in_the_fewest_steps_with_little_padding(rows):
    batch = sample.even_batch(rows, 128)
    steps = math.ceil(rows / batch)
    assert batch <= 128
    assert steps == math.ceil(rows / 128)
    assert steps * batch - rows < 4 * steps


def test_a_small_bound_of_memory_is_kept_and_a_client_without_rows_has_a_batch():
    assert [sample.even_batch(rows, 3) for rows in (0, 1, 3, 100)] == [1, 1, 3, 3]
    assert sample.even_batch(9, 5) == 5


class Reader:
    """Clients whose rows are numbered, as a ClientReader reads them."""

    split = "train"

    def __init__(self, x_shape=(1,)):
        self.cache = ClientCache(1 << 20)
        self.dataset = self.encoder = self
        self.x_shape, self.y_shape, self.y_dtype = x_shape, (), "int32"

    def read_client(self, split, client_id):
        first = 1000 * ord(client_id)
        return {"row": np.arange(first, first + 1000)}

    def encode(self, features):
        rows = np.asarray(features["row"])
        return rows[:, None].astype(np.float32), rows


SIZES = {"a": 10, "b": 30, "c": 25, "d": 200, "e": 3}


@pytest.mark.parametrize(
    ("x_shape", "most", "groups"),
    [((1,), 128, ["a", "c", "d", "e"]), ((1,), 8, list(SIZES)), ((None,), 128, list(SIZES))],
)
def test_small_clients_are_read_as_one_and_every_example_once(x_shape, most, groups):
    clients = tuple((name, tuple(range(size))) for name, size in SIZES.items())
    drawn = sample.Sample(clients, sum(SIZES.values()), 0)
    found = sample.pooled(Reader(x_shape), drawn, most)
    assert [one.client_id for one in found] == groups
    payloads = [one.read() for one in found]
    alone = [one.read() for one in sample.inputs(Reader(x_shape), drawn, most)]
    for name in ("x", "y"):
        together = np.concatenate([payload[name] for payload in payloads])
        assert np.array_equal(together, np.concatenate([payload[name] for payload in alone]))
    for payload in payloads:
        taken = payload["order"][payload["order"] >= 0]
        assert sorted(taken) == list(range(len(payload["y"])))
        assert payload["order"].shape[1] <= most
