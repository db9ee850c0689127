import numpy as np
import pytest

from fed_pretrain.models.weights import ModelArrays, mixture, moved


def arrays(value, variance=1.0):
    return ModelArrays([np.array([value, 1.0], np.float32)], [np.array([2 * variance], np.float32)])


def test_a_share_of_one_is_the_model_bit_for_bit_and_halves_are_the_mean():
    first, second = arrays(0.1), arrays(0.7, 3.0)
    for shares, end in (((1.0, 0.0), first), ((0.0, 1.0), second)):
        mixed = mixture((first, second), shares)
        np.testing.assert_array_equal(mixed.trainable[0], end.trainable[0])
        np.testing.assert_array_equal(mixed.non_trainable[0], end.non_trainable[0])
        assert mixed.trainable[0].dtype == np.float32
    middle = mixture((first, second), (0.5, 0.5))
    assert middle.trainable[0][0] == pytest.approx(0.4)
    assert middle.non_trainable[0][0] == pytest.approx(4.0)


def test_beyond_the_models_weights_go_on_but_statistics_stay_between():
    mixed = mixture((arrays(1.0, 1.0), arrays(2.0, 5.0)), (-0.5, 1.5))
    assert mixed.trainable[0][0] == pytest.approx(2.5)
    assert mixed.non_trainable[0][0] == pytest.approx(10.0)


def test_moving_leaves_alone_what_does_not_train():
    start = arrays(1.0)
    found = moved(start, [np.array([1.0, -2.0])], 0.5)
    np.testing.assert_allclose(found.trainable[0], [1.5, 0.0])
    assert found.trainable[0].dtype == np.float32
    assert found.non_trainable is start.non_trainable
