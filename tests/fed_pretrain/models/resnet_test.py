import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from fed_pretrain.models import resnet


def test_layers_are_torchvisions_with_underscores():
    with tf.Graph().as_default():
        names = {w.name.split("/")[0] for w in resnet.build(10, (32, 32, 3)).weights}
    expected = {"conv1", "bn1", "fc"}
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            prefix = f"layer{stage}_{block}"
            expected |= {f"{prefix}_{kind}{n}" for kind in ("conv", "bn") for n in (1, 2)}
        if stage > 1:
            expected |= {f"layer{stage}_0_downsample_{n}" for n in (0, 1)}
    assert names == expected


def test_both_norms_have_the_same_trainable_weights():
    shapes, statistics = [], []
    for norm in ("group", "batch"):
        with tf.Graph().as_default():
            model = resnet.build(10, (32, 32, 3), norm=norm)
            shapes.append([(w.name, w.shape) for w in model.trainable_weights])
            statistics.append(len(model.non_trainable_weights))
    assert shapes[0] == shapes[1]
    assert statistics == [0, 2 * 20]


@pytest.mark.parametrize("kernel", [3, 7])
def test_a_strided_convolution_pads_evenly_as_torch_does(kernel):
    random = np.random.default_rng(0)
    x = random.standard_normal((1, 8, 8, 1)).astype(np.float32)
    inputs = tf.keras.Input((8, 8, 1))
    model = tf.keras.Model(inputs, resnet._conv(inputs, 1, kernel, 2, "c"))
    weights = random.standard_normal((kernel, kernel, 1, 1)).astype(np.float32)
    model.set_weights([weights])
    full = scipy.signal.correlate2d(x[0, ..., 0], weights[..., 0, 0], mode="same")
    np.testing.assert_allclose(model(x)[0, ..., 0], full[::2, ::2], atol=1e-4)


@pytest.mark.parametrize(
    ("size", "stem", "side"),
    [(224, "imagenet", 7), (32, "imagenet", 1), (32, "cifar", 4)],
)
def test_feature_maps_shrink_as_published(size, stem, side):
    with tf.Graph().as_default():
        model = resnet.build(10, (size, size, 3), stem=stem)
        assert model.get_layer("avgpool").input_shape == (None, side, side, 512)


def test_a_fresh_network_keeps_the_scale_of_its_input():
    model = resnet.build(10, (32, 32, 3))
    stds = [np.std(w) for w in model.weights if w.name == "layer1_0_conv1/kernel:0"]
    assert stds[0] == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)  # kaiming normal, fan out


def test_an_unknown_stem_is_refused():
    with pytest.raises(ValueError, match="'tiny'"):
        resnet.build(10, stem="tiny")
