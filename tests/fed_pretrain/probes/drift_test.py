import math

import numpy as np
import pytest

from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes import drift


def figures(weights):
    """Accuracy is one at the origin, less with the distance from it, where the loss rises."""
    squared = float(np.sum(weights.trainable[0] ** 2))
    return {"accuracy": 1.0 / (1.0 + squared), "loss": squared}


def test_opposite_clients_drift_and_their_average_gains():
    weights = ModelArrays([np.zeros(2, np.float32)], [])
    updates = [([np.array([1.0, 0.0])], 5), ([np.array([-1.0, 0.0])], 5)]
    found = drift.columns(weights, updates, figures)
    assert found["drift"] == pytest.approx(1.0)
    assert found["relative_drift"] == pytest.approx(1.0)
    assert found["local_accuracy"] == pytest.approx(0.5)
    assert found["average_accuracy"] == 1.0
    assert found["aggregation_gain"] == pytest.approx(0.5)
    assert (found["local_loss"], found["average_loss"], found["loss_gain"]) == (1.0, 0.0, 1.0)


def test_drift_equals_the_weighted_spread_of_the_local_models():
    generator = np.random.default_rng(0)
    start = ModelArrays([generator.standard_normal(7)], [])
    updates, examples = generator.standard_normal((3, 7)), np.array([1, 4, 20])
    models = start.trainable[0] - updates
    share = examples / examples.sum()
    mean = share @ models
    expected = np.sqrt(share @ np.sum((models - mean) ** 2, axis=1))
    pairs = zip(updates, examples, strict=True)
    found = drift.columns(start, [([u], float(n)) for u, n in pairs], figures)
    assert found["drift"] == pytest.approx(expected)
    moved = np.sqrt(share @ np.sum(updates**2, axis=1))
    assert found["relative_drift"] == pytest.approx(expected / moved)
    local = share @ np.sum(models**2, axis=1)
    assert found["loss_gain"] == pytest.approx(local - np.sum(mean**2))


def test_equal_clients_neither_drift_nor_gain():
    start = ModelArrays([np.ones(3)], [])
    found = drift.columns(start, [([np.full(3, 0.1)], 2)] * 3, figures)
    assert found["drift"] == pytest.approx(0.0, abs=1e-7)
    assert found["aggregation_gain"] == pytest.approx(0.0)
    assert found["loss_gain"] == pytest.approx(0.0)


def test_a_client_without_weight_is_told_but_does_not_count():
    start = ModelArrays([np.ones(3)], [])
    rows = []
    updates = [([np.full(3, 0.1)], 2.0), ([np.zeros(3)], 0.0)]
    found = drift.columns(start, updates, figures, rows.append)
    assert found == drift.columns(start, updates[:1], figures)
    assert [row["weight"] for row in rows] == [2.0, 0.0]
    assert [row["norm"] for row in rows] == [pytest.approx(0.1 * math.sqrt(3)), 0.0]
    assert rows[1]["loss"] == 3.0


def test_clients_that_do_not_move_have_no_relative_drift():
    found = drift.columns(ModelArrays([np.ones(3)], []), [([np.zeros(3)], 1.0)], figures)
    assert found["drift"] == 0.0
    assert math.isnan(found["relative_drift"])


def test_a_round_without_clients_has_no_columns():
    assert drift.columns(ModelArrays([np.ones(3)], []), [], figures) == {}
