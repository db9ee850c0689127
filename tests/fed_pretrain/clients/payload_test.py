"""Payloads against a plain NumPy reading of the contract."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import batch_at, make_payload, num_steps, payload_of


@pytest.mark.parametrize("y_shape", [(), (3,)])
def test_batches_on_the_device_are_the_rows_the_order_names(y_shape):
    generator = np.random.default_rng(0)
    x = generator.integers(0, 255, (7, 2, 2), dtype=np.uint8)
    y = generator.integers(0, 9, (7, *y_shape), dtype=np.int32)
    payload = make_payload(x, y, LocalWork(3, epochs=2), 1, 2, "a")
    data = tf.data.Dataset.from_tensors(payload)

    @tf.function
    def batches():
        held = payload_of(data)
        return tf.map_fn(
            lambda step: batch_at(held, step),
            tf.range(num_steps(held)),
            fn_output_signature=(tf.uint8, tf.int32),
        )

    xs, ys = batches()
    assert xs.shape == (6, 3, 2, 2)
    for step, rows in enumerate(payload["order"]):
        for slot, row in enumerate(rows):
            expected_y = y[row] if row >= 0 else np.full(y_shape, -1)
            np.testing.assert_array_equal(ys[step, slot], expected_y)
            if row >= 0:
                np.testing.assert_array_equal(xs[step, slot], x[row])


def test_a_batch_without_padding_holds_the_rows_the_order_names_and_no_more():
    x = np.arange(14).reshape(7, 2)
    payload = make_payload(x, np.arange(7, dtype=np.int32), LocalWork(3, epochs=2), 1, 2, "a")
    for step, rows in enumerate(payload["order"]):
        named = rows[rows >= 0]
        found, labels = batch_at(payload, step, fixed_shapes=False)
        np.testing.assert_array_equal(found, x[named])
        np.testing.assert_array_equal(labels, named)
    assert (payload["order"] < 0).any()


def test_the_key_differs_by_seed_round_and_client():
    def key(*parts):
        payload = make_payload(np.zeros((1, 1)), np.zeros(1, np.int32), LocalWork(1), *parts)
        assert payload["key"].dtype == np.int32
        return tuple(payload["key"])

    keys = {key(1, 2, "a"), key(9, 2, "a"), key(1, 9, "a"), key(1, 2, "b"), key(1, 2, "a")}
    assert len(keys) == 4
