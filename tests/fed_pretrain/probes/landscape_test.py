import numpy as np
import pytest

from fed_pretrain.experiment.server_state import ModelArrays
from fed_pretrain.probes import landscape


def arrays(value):
    return ModelArrays([np.array([value, 1.0], np.float32)], [np.array([2 * value], np.float32)])


def test_the_ends_are_the_models_bit_for_bit_and_the_middle_is_the_mean():
    first, second = arrays(0.1), arrays(0.7)
    for share, end in ((0.0, first), (1.0, second)):
        mixed = landscape.between(first, second, share)
        np.testing.assert_array_equal(mixed.trainable[0], end.trainable[0])
        np.testing.assert_array_equal(mixed.non_trainable[0], end.non_trainable[0])
    assert landscape.between(first, second, 0.5).trainable[0][0] == pytest.approx(0.4)


def test_a_hill_between_two_valleys_is_a_barrier_of_its_height():
    def double_well(weights):
        return {"loss": float((weights.trainable[0][0] ** 2 - 1) ** 2)}

    found = landscape.interpolate(arrays(-1.0), arrays(1.0), double_well, points=5)
    np.testing.assert_allclose(found["loss"], [0, 0.5625, 1, 0.5625, 0], atol=1e-6)
    assert found["barrier"] == pytest.approx(1.0)


def test_a_convex_loss_has_no_barrier_though_its_ends_differ():
    def bowl(weights):
        return {"loss": float(weights.trainable[0][0] ** 2), "accuracy": 0.5}

    found = landscape.interpolate(arrays(-1.0), arrays(3.0), bowl)
    assert found["barrier"] == 0.0
    assert found["accuracy"] == [0.5] * 11
