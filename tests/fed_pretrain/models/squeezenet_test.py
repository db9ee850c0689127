import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import squeezenet

# Side of the last feature map of torchvision's models at each input size, by its published formula
# floor((n - k) / 2) + 1 for conv1 and ceil((n - 3) / 2) + 1 for each pooling.
LAST_SIDE = {
    "1.0": {28: 1, 32: 1, 64: 3, 224: 13, 227: 13},
    "1.1": {28: 1, 32: 1, 64: 3, 224: 13, 227: 14},
}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("size", [28, 32, 64, 224, 227])
def test_feature_maps_have_torchvisions_sizes(version, size):
    with tf.Graph().as_default():
        model = squeezenet.build(10, (size, size, 3), version=version)
        side = LAST_SIDE[version][size]
        assert model.get_layer("conv10").output_shape == (None, side, side, 10)


def test_pooling_windows_hang_over_the_right_and_bottom_edge():
    x = np.abs(np.random.default_rng(0).standard_normal((1, 8, 9, 2))).astype(np.float32)
    inputs = tf.keras.Input((8, 9, 2))
    pooled = tf.keras.Model(inputs, squeezenet._pool(inputs, "pool", ceil_mode=True))(x)
    expected = [
        [x[0, top : top + 3, left : left + 3].max((0, 1)) for left in range(0, 7, 2)]
        for top in range(0, 7, 2)
    ]
    np.testing.assert_array_equal(pooled[0], expected)


def test_without_ceil_mode_small_images_leave_nothing_to_pool():
    with pytest.raises(ValueError, match=r"[Nn]egative dimension"):
        squeezenet.build(10, (28, 28, 1), version="1.0", ceil_mode=False)


def test_conv1_may_pad_as_the_embedded_weights_package_does():
    model = squeezenet.build(10, (227, 227, 3), version="1.1", conv1_padding="same")
    assert model.get_layer("conv1").output_shape == (None, 114, 114, 64)


def test_torchvisions_last_relu_is_a_choice():
    x = np.random.default_rng(0).standard_normal((4, 32, 32, 3)).astype(np.float32)
    free = squeezenet.build(10, (32, 32, 3), version="1.1")
    clipped = squeezenet.build(10, (32, 32, 3), version="1.1", final_relu=True)
    clipped.set_weights(free.get_weights())
    assert free(x).numpy().min() < 0
    np.testing.assert_array_equal(clipped(x), np.maximum(free(x), 0))  # one pixel is averaged


def test_an_unknown_version_is_refused():
    with pytest.raises(ValueError, match=r"not '1\.2'"):
        squeezenet.build(10, version="1.2")


def test_a_body_on_a_given_tensor_is_one_flat_model_of_raw_pixels():
    raw = tf.keras.Input((32, 32, 3), dtype="uint8")
    x = tf.keras.layers.Rescaling(1 / 255)(raw)
    model = squeezenet.build(10, (32, 32, 3), inputs=x)
    assert model.inputs[0].dtype == tf.uint8
    assert not any(isinstance(layer, tf.keras.Model) for layer in model.layers)
    with pytest.raises(ValueError, match="input_shape"):
        squeezenet.build(10, (28, 28, 3), inputs=x)
