"""Sums over a client's data, held to what NumPy adds up."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload
from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.tasks.client_sums import Finding, client_sums
from tests.fed_pretrain.probes import small

BUILD = small.softmax_regression


@pytest.fixture(scope="module")
def executor():
    with create(ExecutorOptions(clients_in_flight=1)) as made:
        yield made


def labels_and_vector(batch):
    """The real rows' labels, and the steps as multiples of the vector."""
    real = tf.maximum(batch.y, 0)
    shapes = [variable.shape.num_elements() for variable in batch.variables]
    return collections.OrderedDict(
        labels=tf.reduce_sum(tf.cast(real, tf.float32)),
        elements=tf.constant(float(sum(shapes))),
        vectors=list(batch.vector),
    )


def nothing(vector):
    zeros = [tf.zeros_like(part) for part in vector]
    return collections.OrderedDict(
        labels=tf.constant(0.0), elements=tf.constant(0.0), vectors=zeros
    )


def found(executor, vector, positions, clients):
    x, y = small.digits()
    finding = Finding(labels_and_vector, nothing)
    computation = client_sums(small.task_of(BUILD, x, y), BUILD, finding, positions)
    value = collections.OrderedDict(weights=small.weights_of(BUILD), vector=vector)
    return executor.sum_clients(computation, value, clients)


def test_every_row_of_uneven_clients_is_found_once(executor):
    x, y = small.digits()
    kernel, bias = small.weights_of(BUILD).trainable
    sums = found(executor, [kernel, bias], None, small.clients(x, y))
    steps = sum(-(-size // small.BATCH) for size in small.SIZES.values())
    assert sums["labels"] == y.sum()
    assert sums["elements"] == steps * (kernel.size + bias.size)
    np.testing.assert_allclose(sums["vectors"][0], steps * kernel, rtol=1e-6)


def test_the_vector_is_over_the_tensors_at_the_positions(executor):
    x, y = small.digits()
    bias = np.arange(10, dtype=np.float32)
    sums = found(executor, [bias], (1,), small.clients(x, y, batch=16))
    assert sums["elements"] == len(small.SIZES) * bias.size
    np.testing.assert_array_equal(sums["vectors"], [len(small.SIZES) * bias])


def test_a_client_without_rows_adds_zeros(executor):
    x, y = small.digits()
    payload = make_payload(x[:0], y[:0], LocalWork(4, shuffle=False), 0, 0, "none")
    client = small.ClientInput("none", lambda: dict(payload))
    sums = found(executor, [np.ones(10, np.float32)], (1,), [client])
    assert sums["labels"] == sums["elements"] == 0
    np.testing.assert_array_equal(sums["vectors"], np.zeros((1, 10)))


def test_rows_of_all_batches_can_be_joined(executor):
    x, y = small.digits()

    def labels(batch):
        return {"labels": batch.y}

    finding = Finding(labels, rows={"labels": tf.TensorSpec([None], tf.int32)})
    computation = client_sums(small.task_of(BUILD, x, y), BUILD, finding, [])
    value = collections.OrderedDict(weights=small.weights_of(BUILD), vector=[])
    found = list(executor.map_clients(computation, value, small.clients(x, y)))
    joined = [sent["labels"][sent["labels"] >= 0] for sent in found]
    assert [len(own) for own in joined] == list(small.SIZES.values())
    assert np.concatenate(joined).tolist() == y.tolist()
