"""Padding: few shapes, and nothing a client's work could notice."""

import numpy as np
import pytest

from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import bucket, make_payload, num_steps, padded

BATCH = 4


def payload(rows: int, epochs: int = 1):
    generator = np.random.default_rng(rows)
    x = generator.integers(1, 255, (rows, 2, 2), dtype=np.uint8)
    y = generator.integers(0, 9, (rows, 3), dtype=np.int32)
    return make_payload(x, y, LocalWork(BATCH, epochs), 1, 2, "a")


def shapes(one) -> tuple[object, ...]:
    return tuple(np.shape(value) for value in one.values())


def test_buckets_double_and_hold_what_they_are_for():
    assert [bucket(size, 4) for size in (0, 1, 4, 5, 8, 9, 16, 17)] == [4, 4, 4, 8, 8, 16, 16, 32]
    assert [bucket(size, 1) for size in (0, 1, 2, 3, 5)] == [1, 1, 2, 4, 8]


@pytest.mark.parametrize(("epochs", "most"), [(1, 7), (5, 14)])
def test_two_hundred_and_fifty_six_sizes_of_clients_have_few_shapes(epochs, most):
    found = {shapes(padded(payload(rows, epochs))) for rows in range(257)}
    assert len(found) <= most


def test_the_rows_and_the_steps_stay_and_no_step_names_a_padded_row():
    before = payload(9, epochs=2)
    after = padded(before)
    assert after["x"].shape == (16, 2, 2)
    assert after["order"].shape == (8, BATCH)
    assert after["rows"] == 9
    for name in ("x", "y", "order"):
        np.testing.assert_array_equal(after[name][: len(before[name])], before[name])
        assert after[name].dtype == before[name].dtype
    assert (after["y"][9:] == -1).all()
    assert after["order"].max() == 8
    assert num_steps(after) == num_steps(before) == 6


def test_a_second_set_of_rows_is_padded_alike():
    held = payload(3)
    one = {**payload(9), "held_x": held["x"], "held_y": held["y"], "held_order": held["order"]}
    after = padded(one)
    assert [len(after[f"held_{name}"]) for name in ("x", "y", "order")] == [4, 4, 1]


def test_what_is_no_payload_stays_as_it_is():
    data = {"x": np.ones(3), "y": np.ones(3)}
    assert padded(data) is data
