import numpy as np
import pytest

from fed_pretrain.experiment.server_state import ModelArrays
from fed_pretrain.probes import drift


def accuracy(weights):
    """One at the origin, less with the distance from it."""
    return {"accuracy": 1.0 / (1.0 + float(np.sum(weights.trainable[0] ** 2)))}


def test_opposite_clients_drift_and_their_average_gains():
    weights = ModelArrays([np.zeros(2, np.float32)], [])
    updates = [([np.array([1.0, 0.0])], 5), ([np.array([-1.0, 0.0])], 5)]
    found = drift.measure(weights, updates, accuracy)
    assert found["drift"] == pytest.approx(1.0)
    assert found["local_accuracy"] == pytest.approx(0.5)
    assert found["average_accuracy"] == 1.0
    assert found["aggregation_gain"] == pytest.approx(0.5)


def test_drift_equals_the_weighted_spread_of_the_local_models():
    generator = np.random.default_rng(0)
    start = ModelArrays([generator.standard_normal(7)], [])
    updates, examples = generator.standard_normal((3, 7)), np.array([1, 4, 20])
    models = start.trainable[0] - updates
    share = examples / examples.sum()
    mean = share @ models
    expected = np.sqrt(share @ np.sum((models - mean) ** 2, axis=1))
    pairs = zip(updates, examples, strict=True)
    found = drift.measure(start, [([u], int(n)) for u, n in pairs], accuracy)
    assert found["drift"] == pytest.approx(expected)


def test_equal_clients_neither_drift_nor_gain():
    start = ModelArrays([np.ones(3)], [])
    found = drift.measure(start, [([np.full(3, 0.1)], 2)] * 3, accuracy)
    assert found["drift"] == pytest.approx(0.0, abs=1e-7)
    assert found["aggregation_gain"] == pytest.approx(0.0)


def test_a_round_without_clients_has_no_columns():
    assert drift.measure(ModelArrays([np.ones(3)], []), [], accuracy) == {}
