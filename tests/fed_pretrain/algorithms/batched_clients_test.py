"""Clients of TFF's own processes, as datasets of batches."""

import numpy as np
import tensorflow as tf

from fed_pretrain.algorithms import batched_clients
from fed_pretrain.clients.payload import PADDING_ROW


def test_a_client_without_rows_stays_without_rows() -> None:
    rows = tf.data.Dataset.from_tensor_slices(np.zeros((0, 2), np.float32))
    assert batched_clients._joined(rows, tf.TensorSpec([2])).shape == (0, 2)


def test_the_order_of_batches_is_the_one_they_came_in_filled_up() -> None:
    order = batched_clients._order(tf.constant([2, 3, 1]))
    empty = PADDING_ROW
    assert order.numpy().tolist() == [[0, 1, empty], [2, 3, 4], [5, empty, empty]]
    assert batched_clients._order(tf.zeros([0], tf.int32)).shape == (0, 0)
