import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import preprocessing


def applied(name: str, pixels: np.ndarray) -> np.ndarray:
    inputs = tf.keras.Input(shape=pixels.shape[1:], dtype="uint8")
    x = tf.keras.layers.Rescaling(1.0)(inputs)
    return tf.keras.Model(inputs, preprocessing.apply(name, x))(pixels).numpy()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("none", lambda x: x),
        ("unit", lambda x: x / 255),
        ("inverted", lambda x: 1 - x / 255),
        ("lite", lambda x: (x - 127) / 128),
        ("mnist", lambda x: (x / 255 - 0.1307) / 0.3081),
        (
            "cifar",
            lambda x: (x / 255 - [0.4914, 0.4822, 0.4465]) / np.array([0.2023, 0.1994, 0.2010]),
        ),
    ],
)
def test_a_preprocessing_does_what_its_formula_says(name, oracle, photo):
    np.testing.assert_allclose(applied(name, photo), oracle(photo.astype(float)), atol=2e-6)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("imagenet_torch", "torch"), ("imagenet_bgr_means", "caffe"), ("plus_minus_one", "tf")],
)
def test_imagenet_preprocessings_equal_keras_applications(name, mode, photo):
    expected = tf.keras.applications.imagenet_utils.preprocess_input(
        photo.astype(np.float32), mode=mode
    )
    np.testing.assert_allclose(applied(name, photo), expected, atol=2e-5)


@pytest.mark.parametrize("name", preprocessing.names())
def test_a_preprocessing_uses_only_layers_of_keras(name, photo):
    inputs = tf.keras.Input(shape=photo.shape[1:])
    model = tf.keras.Model(inputs, preprocessing.apply(name, inputs))
    keras = tf.keras.layers.Layer.__module__.partition(".")[0]
    assert all(type(layer).__module__.startswith(f"{keras}.") for layer in model.layers)
    assert not any(isinstance(layer, tf.keras.layers.Lambda) for layer in model.layers)
    assert not model.weights
    assert preprocessing.describe()[name]


def test_grey_images_are_refused_where_the_means_are_of_colours():
    grey = tf.keras.Input(shape=(4, 4, 1))
    for name in ("cifar", "imagenet_torch", "imagenet_bgr_means"):
        with pytest.raises(ValueError, match="channels"):
            preprocessing.apply(name, grey)


def test_an_unknown_preprocessing_is_told_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'zero_one'; there are none, unit"):
        preprocessing.apply("zero_one", tf.keras.Input(shape=(4, 4, 3)))
