import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models.norm import GroupNorm, LayerNorm, groups_of, norm


@pytest.mark.parametrize("shape", [(3, 5, 4, 12), (3, 7, 12), (3, 12)])
def test_group_norm_equals_keras_own_in_values_and_gradients(shape):
    x = tf.random.stateless_normal(shape, seed=(1, 2), mean=2.0)
    ours, keras = GroupNorm(groups=4), tf.keras.layers.GroupNormalization(groups=4)
    results = []
    for layer in (ours, keras):
        layer.build(shape)
        layer.set_weights([np.linspace(0.5, 2, 12), np.linspace(-1, 1, 12)])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(tf.sin(y))
        results.append([y, *tape.gradient(total, [x, *layer.trainable_variables])])
    for own, expected in zip(*results, strict=True):
        np.testing.assert_allclose(own, expected, atol=2e-5)


def test_group_norm_reads_and_writes_keras_config():
    config = tf.keras.layers.GroupNormalization(groups=4, epsilon=1e-5, name="bn1").get_config()
    assert GroupNorm.from_config(config).get_config() == config


def test_layer_norm_equals_keras_own_in_values_and_gradients():
    x = tf.random.stateless_normal((3, 5, 8), seed=(1, 2), mean=2.0)
    results = []
    for kind in (LayerNorm, tf.keras.layers.LayerNormalization):
        layer = kind(epsilon=1e-5)
        layer.build(x.shape)
        layer.set_weights([np.linspace(0.5, 2, 8), np.linspace(-1, 1, 8)])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(tf.sin(y))
        results.append([y, *tape.gradient(total, [x, *layer.trainable_variables])])
    for own, expected in zip(*results, strict=True):
        np.testing.assert_allclose(own, expected, atol=2e-5)


def curvature_error(layer: tf.keras.layers.Layer) -> float:
    """How far a Hessian-vector product is from a central difference of gradients, relatively."""
    random = np.random.default_rng(0)
    x, towards, mix = (tf.constant(random.standard_normal((4, 8))) for _ in range(3))

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(mix * tf.sin(layer(x)))
        return tape.gradient(loss, x)

    with tf.GradientTape() as tape:
        tape.watch(x)
        along = tf.reduce_sum(gradient(x) * towards)
    exact = tape.gradient(along, x)
    step = 1e-6
    difference = (gradient(x + step * towards) - gradient(x - step * towards)) / (2 * step)
    return float(tf.norm(exact - difference) / tf.norm(difference))


def test_our_norms_have_right_second_derivatives_where_keras_layer_norm_has_wrong_ones():
    options = {"dtype": "float64", "epsilon": 1e-5}
    assert curvature_error(GroupNorm(groups=4, **options)) < 1e-7
    assert curvature_error(LayerNorm(**options)) < 1e-7
    # Should this fail one day, Keras is mended and LayerNorm can go.
    assert curvature_error(tf.keras.layers.LayerNormalization(**options)) > 1e-3


def test_layer_norm_refuses_another_axis_than_the_last():
    with pytest.raises(ValueError, match="last axis"):
        LayerNorm(axis=1)(tf.ones((2, 3, 4)))


def test_the_rule_of_groups_always_divides_the_channels():
    assert [groups_of(c) for c in (3, 16, 32, 64, 96, 144, 672)] == [3, 16, 32, 32, 32, 24, 32]
    assert groups_of(64, most=1) == 1
    assert all(c % groups_of(c) == 0 for c in range(1, 400))


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="'layer'"):
        norm(tf.keras.Input((4, 4, 8)), "layer", "n")
