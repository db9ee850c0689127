"""The bare loop that `device` is measured against computes FedAvg."""

import numpy as np
import pytest

from benchmarks.rounds import agreement, workload
from benchmarks.rounds.workload import BATCH, RATE

CLIENTS = 2


@pytest.fixture(scope="module")
def begin():
    return workload.fresh_weights("softmax")


@pytest.fixture(scope="module")
def bare(begin):
    from benchmarks.rounds.bound import Bound

    made = Bound("softmax", CLIENTS)
    yield agreement.trajectory(made, begin)
    made.close()


def federated_averaging(weights):
    """One round in float64 by the formulas: softmax regression, its gradient, the mean."""
    ends = []
    for client in range(CLIENTS):
        kernel, bias = (np.array(w, np.float64) for w in weights)
        images, labels = workload.client_rows("softmax", client)
        pixels = images.reshape(len(images), -1) / 255
        for first in range(0, len(pixels), BATCH):
            x, y = pixels[first : first + BATCH], labels[first : first + BATCH]
            odds = np.exp(x @ kernel + bias)
            error = odds / odds.sum(axis=1, keepdims=True)
            error[np.arange(BATCH), y] -= 1
            kernel -= RATE * x.T @ error / BATCH
            bias -= RATE * error.mean(axis=0)
        ends.append((kernel, bias))
    return [sum(parts) / CLIENTS for parts in zip(*ends, strict=True)]


def test_the_bound_is_federated_averaging(begin, bare):
    expected = begin
    for found in bare:
        expected = federated_averaging(expected)
        assert agreement.difference(found, expected) < 1e-5


@pytest.mark.slow
def test_device_and_the_bound_end_at_the_same_weights(begin, bare):
    from benchmarks.rounds.ours import Ours

    ours = Ours("softmax", CLIENTS)
    path = agreement.trajectory(ours, begin)
    ours.close()
    assert max(agreement.distances(path, bare)) < 1e-6
