import numpy as np
import pytest

from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes import landscape


def arrays(value):
    return ModelArrays([np.array([value, 1.0], np.float32)], [np.array([2 * value], np.float32)])


def double_well(weights):
    x = float(weights.trainable[0][0])
    return {"loss": (x**2 - 1) ** 2, "accuracy": min(abs(x), 1.0)}


def bowl(weights):
    return {"loss": float(weights.trainable[0][0] ** 2), "accuracy": 0.5}


def test_a_hill_between_two_valleys_is_a_barrier_of_its_height():
    found = landscape.interpolate(arrays(-1.0), arrays(1.0), double_well, points=5)
    np.testing.assert_allclose(found["loss"], [0, 0.5625, 1, 0.5625, 0], atol=1e-6)
    assert found["barrier"] == pytest.approx(1.0)
    assert found["accuracy_barrier"] == pytest.approx(1.0)


def test_a_convex_loss_has_no_barrier_though_its_ends_differ():
    found = landscape.interpolate(arrays(-1.0), arrays(3.0), bowl)
    assert found["barrier"] == 0.0
    assert found["accuracy_barrier"] == 0.0
    assert found["accuracy"] == [0.5] * 11


def test_the_line_goes_on_past_both_models_without_changing_the_barrier():
    found = landscape.interpolate(arrays(-1.0), arrays(1.0), double_well, points=3, beyond=0.5)
    assert found["shares"] == [-0.5, 0.0, 0.5, 1.0, 1.5]
    np.testing.assert_allclose(found["loss"], [9, 0, 1, 0, 9], atol=1e-5)
    assert found["barrier"] == pytest.approx(1.0)
