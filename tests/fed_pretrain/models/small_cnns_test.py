"""The CNNs without a published weight file: EMNIST CNN, edge CNN, small CNN, VGG-11, regression."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import small_cnns, vgg


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (64, 64, 3)])
def test_the_edge_cnn_stays_under_thirty_thousand_parameters(shape):
    assert small_cnns.edge_cnn(62, shape).count_params() < 30_000


def test_the_emnist_cnn_drops_a_quarter_then_a_half_or_nothing():
    rates = [
        [layer.rate for layer in model.layers if "dropout" in layer.name]
        for model in (small_cnns.emnist_cnn(10), small_cnns.emnist_cnn(10, dropout=0.0))
    ]
    assert rates == [[0.25, 0.5], [0.0, 0.0]]


def test_vgg11_has_torchvisions_layer_indices():
    with tf.Graph().as_default():
        model = vgg.build(1000, (224, 224, 3), classifier="published")
        weighted = [layer.name for layer in model.layers if layer.weights]
    features = [f"features_{n}" for n in (0, 3, 6, 8, 11, 13, 16, 18)]
    assert weighted == [*features, *(f"classifier_{n}" for n in (0, 3, 6))]


def test_vgg11_refuses_its_published_classifier_on_small_images():
    with pytest.raises(ValueError, match="224x224"):
        vgg.build(10, (32, 32, 3), classifier="published")
    with pytest.raises(ValueError, match="'wide'"):
        vgg.build(10, classifier="wide")


def test_the_small_cnn_has_as_many_convolutions_as_widths():
    model = small_cnns.small_cnn(10, (16, 16, 1), widths=(4, 6), norm="group")
    assert model.get_layer("flatten").output_shape == (None, 4 * 4 * 6)
    assert model.get_layer("bn2").groups == 6


def test_regression_is_an_affine_map():
    model = small_cnns.linear(3, (2, 2, 1))
    kernel, bias = np.arange(12.0).reshape(4, 3), np.array([1.0, 2.0, 3.0])
    model.set_weights([kernel, bias])
    x = np.arange(4.0).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(model(x), x.reshape(1, 4) @ kernel + bias)
