import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models.by_blocks import BlockConv2D, BlockMaxPooling2D


def results(layer: tf.keras.layers.Layer, x: tf.Tensor) -> list[tf.Tensor]:
    """What it gives, and the gradients of something of it that is not linear."""
    layer.build(x.shape)
    random = np.random.default_rng(7)
    layer.set_weights([random.standard_normal(w.shape) for w in layer.get_weights()])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        total = tf.reduce_sum(tf.sin(y))
    return [y, *tape.gradient(total, [x, *layer.trainable_variables])]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", [(5, 5), (1, 5), (9, 5), (3, 3), (4, 4)])
@pytest.mark.parametrize("size", [(12, 10), (11, 12)])
def test_convolution_equals_keras_own_in_values_and_gradients(size, kernel, padding):
    x = tf.random.stateless_normal((3, *size, 3), seed=(1, 2))
    pair = (
        kind(6, kernel, padding=padding, activation="relu")
        for kind in (BlockConv2D, tf.keras.layers.Conv2D)
    )
    for own, expected in zip(*(results(layer, x) for layer in pair), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-4)


def operations(layer: tf.keras.layers.Layer, shape: tuple[int, ...]) -> set[str]:
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec(shape)).graph
    return {operation.type for operation in graph.get_operations()}


def test_only_what_fits_goes_by_blocks():
    conv = {"filters": 2, "kernel_size": 5, "padding": "same"}
    assert "SpaceToDepth" in operations(BlockConv2D(**conv), (3, 12, 12, 1))
    for other in ({"strides": 2}, {"dilation_rate": 2}, {"padding": "valid"}, {"kernel_size": 3}):
        assert "SpaceToDepth" not in operations(BlockConv2D(**conv | other), (3, 12, 12, 1))
    assert "SpaceToDepth" not in operations(BlockConv2D(**conv), (3, 13, 12, 1))
    assert "MaxPool" not in operations(BlockMaxPooling2D(2), (3, 12, 12, 4))
    for pooling, size in ((BlockMaxPooling2D(2), 13), (BlockMaxPooling2D(3, 2), 12)):
        assert "MaxPool" in operations(pooling, (3, size, size, 4))


@pytest.mark.parametrize("size", [(12, 10), (11, 12)])
def test_pooling_equals_keras_own_to_the_bit(size):
    x = tf.random.stateless_normal((3, *size, 5), seed=(1, 2))
    pair = (kind(2) for kind in (BlockMaxPooling2D, tf.keras.layers.MaxPooling2D))
    for own, expected in zip(*(results(layer, x) for layer in pair), strict=True):
        np.testing.assert_array_equal(own, expected)


@pytest.mark.parametrize(
    ("own", "keras"),
    [
        (BlockConv2D(6, 5, padding="same", name="a"), tf.keras.layers.Conv2D),
        (BlockMaxPooling2D(2, name="a"), tf.keras.layers.MaxPooling2D),
    ],
)
def test_they_read_and_write_keras_config(own, keras):
    assert keras.from_config(own.get_config()).get_config() == own.get_config()
