"""Reading clients: what arrives, what is remembered, what travels."""

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

from fed_pretrain.clients.client_reader import ClientCache, CohortPrefetch
from fed_pretrain.clients.local_work import LocalWork, make_order
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.definition import TaskOptions
from groundwork.errors import UserError
from tests.fed_pretrain.tasks import miniature

SIZES = (5, 1, 9, 3)


@pytest.fixture(scope="module")
def clients():
    return miniature.photographs((8, 8, 1), 10, SIZES)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, clients):
    folder = tmp_path_factory.mktemp("digits")
    return miniature.write(folder, miniature.images(8, 8, 1), {"train": clients, "test": clients})


@pytest.fixture
def reader(dataset):
    return known_tasks.load("digits", dataset).reader("train")


def test_a_payload_holds_each_stored_example_once_and_the_order_of_the_round(reader, clients):
    work = LocalWork(2, epochs=2)
    payload = reader("client_2", work, 7, 3)
    assert list(payload) == ["x", "y", "order", "key", "rows"]
    stored = clients["client_2"]
    np.testing.assert_array_equal(payload["x"], np.stack([e["image"] for e in stored]))
    assert payload["x"].dtype == np.uint8
    assert payload["y"].tolist() == [e["label"] for e in stored]
    np.testing.assert_array_equal(payload["order"], make_order(9, work, 7, 3, "client_2"))


def test_no_more_than_the_first_examples_are_read_into_a_payload(reader, clients):
    payload = reader("client_2", LocalWork(2, max_examples=4), 7, 3)
    assert payload["y"].tolist() == [e["label"] for e in clients["client_2"][:4]]
    assert payload["order"].max() == 3


def test_rows_of_a_payload_cannot_be_changed_by_who_gets_it(reader):
    payload = reader("client_0", LocalWork(2), 7, 3)
    with pytest.raises(ValueError, match="read-only"):
        payload["x"][0] = 0


def test_a_bound_read_travels_by_pickle_and_gives_the_same_payload(reader):
    read = reader.bind("client_0", LocalWork(2), 7, 3)
    reader.rows("client_2")
    travelled = pickle.dumps(read)
    assert len(travelled) < 4000
    there, here = pickle.loads(travelled)(), read()
    for name in here:
        np.testing.assert_array_equal(there[name], here[name])


def test_a_recurring_client_is_read_from_disk_once(reader, monkeypatch):
    reads = []
    dataset = reader.dataset
    true_read = dataset.read_records
    monkeypatch.setattr(
        dataset, "read_records", lambda *args: reads.append(args) or true_read(*args)
    )
    for round_number in range(3):
        reader("client_0", LocalWork(2), 7, round_number)
    assert reads == [("train", "client_0")]
    reader("client_0", LocalWork(2, max_examples=1), 7, 0)
    assert len(reads) == 2


def test_an_unknown_client_or_split_is_refused_in_a_sentence(dataset, reader):
    with pytest.raises(UserError, match="no client 'nobody'"):
        reader.rows("nobody")
    with pytest.raises(UserError, match="no split 'validation', only test, train"):
        known_tasks.load("digits", dataset).reader("validation")


def rows_of(size: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(size, np.uint8), np.zeros(0, np.int32)


def test_the_cache_drops_what_was_used_longest_ago_and_keeps_its_bound():
    cache = ClientCache(100)
    for name in "abc":
        cache.get(name, lambda: rows_of(40))
        cache.get("a", lambda: rows_of(40))
    assert ("a" in cache, "b" in cache, "c" in cache) == (True, False, True)
    assert cache.held_bytes == 80
    cache.get("large", lambda: rows_of(101))
    assert "large" not in cache
    assert "a" in cache


def test_the_cache_travels_empty():
    cache = ClientCache(100)
    cache.get("a", lambda: rows_of(40))
    again = pickle.loads(pickle.dumps(cache))
    assert (again.max_bytes, again.held_bytes) == (100, 0)


def test_the_cache_counts_right_when_many_threads_ask_for_the_same():
    cache = ClientCache(1000)
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        for name in range(20):
            cache.get(name, lambda: rows_of(10))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.held_bytes == 200


def test_the_next_cohort_is_in_memory_once_it_was_prefetched(reader):
    with CohortPrefetch(reader) as prefetch:
        prefetch.start(["client_1", "client_3"])
        prefetch.wait()
        assert reader.holds("client_1")
        assert reader.holds("client_3")
        assert not reader.holds("client_0")
        prefetch.start(["client_0"], max_examples=2)
        prefetch.wait()
    assert reader.holds("client_0", 2)
    assert not reader.holds("client_0")
    assert not [t for t in threading.enumerate() if t.name == "cohort-prefetch"]


def test_prefetching_leaves_room_for_the_cohort_that_trains(dataset):
    reader = known_tasks.load("digits", dataset, options=TaskOptions(cache_megabytes=0)).reader(
        "train"
    )
    with CohortPrefetch(reader) as prefetch:
        prefetch.start(["client_0"])
        prefetch.wait()
    assert not reader.holds("client_0")


def test_prefetching_ends_with_the_client_that_fills_half_of_the_cache(reader):
    """Clients of 340 and 612 bytes; the third would be a small one."""
    reader.cache.max_bytes = 1000
    with CohortPrefetch(reader) as prefetch:
        prefetch.start(["client_0", "client_2", "client_1"])
        prefetch.wait()
    assert [reader.holds(f"client_{one}") for one in range(3)] == [True, False, True]


def test_an_error_while_prefetching_waits_for_the_clients_own_read(reader):
    with CohortPrefetch(reader) as prefetch:
        prefetch.start(["nobody", "client_0"])
        prefetch.wait()
    with pytest.raises(UserError, match="nobody"):
        reader.rows("nobody")


def test_reading_meets_a_damaged_shard_with_a_sentence(tmp_path: Path, clients):
    dataset = miniature.write(tmp_path, miniature.images(8, 8, 1), {"train": clients})
    reader = known_tasks.load("digits", dataset).reader("train")
    shard = next(tmp_path.glob("*.tfrecord"))
    content = bytearray(shard.read_bytes())
    content[40] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UserError, match="tfrecord"):
        reader.rows("client_0")
