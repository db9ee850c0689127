"""Residual networks (He et al. 2016, arXiv 1512.03385) with a choice of norm.

ResNet-18, in torchvision's layout.

Both papers train it from torchvision's ImageNet weights with GroupNorm put in BatchNorm's place.
11,689,512 parameters with 1000 classes, with either norm. Layers are torchvision's with
underscores: conv1, bn1, layer1_0_conv1, layer1_0_bn1, ..., layer2_0_downsample_0,
layer2_0_downsample_1, fc; the norms are called bn* whatever their kind. Padding is torch's (equal
on all sides).

ResNet-20 and -8, the paper's section 4.2: 6n + 2 layers for small images, three stages of n blocks
with 16, 32 and 64 channels, and shortcuts without weights. 269,722 and 75,290 parameters with 10
classes and 3 colours.
"""

from collections.abc import Callable

import tensorflow as tf

from fed_pretrain.models import small_cnns
from fed_pretrain.models.norm import norm as norm_layer


def build(
    num_classes: int,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    inputs: tf.Tensor | None = None,
    *,
    norm: str = "group",
    groups: int = 32,
    stem: str = "imagenet",
) -> tf.keras.Model:
    """`stem` is "imagenet" (7x7/2 and pooling, what pre-trained weights fit) or "cifar" (3x3)."""
    start, norms = small_cnns.image_input(input_shape, inputs), _norms(norm, groups)
    if stem == "imagenet":
        x = _conv(start, 64, 7, 2, "conv1")
        x = _norm_relu(x, norms, "bn1")
        # Behind a ReLU zeros pad as torch's minus infinity does.
        x = tf.keras.layers.ZeroPadding2D(1, name="maxpool_pad")(x)
        x = tf.keras.layers.MaxPooling2D(3, 2, name="maxpool")(x)
    elif stem == "cifar":
        x = _norm_relu(_conv(start, 64, 3, 1, "conv1"), norms, "bn1")
    else:
        raise ValueError(f"stem is imagenet or cifar, not {stem!r}")
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            strides = 2 if stage > 1 and block == 0 else 1
            x = _block(x, width, strides, norms, f"layer{stage}_{block}", _projected)
    return small_cnns.model(start, _classes(x, num_classes), "resnet18")


def build_small(
    num_classes: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    inputs: tf.Tensor | None = None,
    *,
    blocks: int = 3,
    norm: str = "group",
    groups: int = 32,
) -> tf.keras.Model:
    """The network of 6 `blocks` + 2 layers: 3 make ResNet-20, 1 makes ResNet-8."""
    start, norms = small_cnns.image_input(input_shape, inputs), _norms(norm, groups)
    x = _norm_relu(_conv(start, 16, 3, 1, "conv1"), norms, "bn1")
    for stage, width in enumerate((16, 32, 64), start=1):
        for block in range(blocks):
            strides = 2 if stage > 1 and block == 0 else 1
            x = _block(x, width, strides, norms, f"layer{stage}_{block}", _padded)
    return small_cnns.model(start, _classes(x, num_classes), f"resnet{6 * blocks + 2}")


def _conv(x: tf.Tensor, filters: int, kernel: int, strides: int, name: str) -> tf.Tensor:
    padding = "same"
    if kernel > 1 and strides > 1:
        # Keras' `same` pads a strided window by one more below than above; torch pads evenly.
        x = tf.keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
        padding = "valid"
    return tf.keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_initializer=small_cnns.he_fan_out(),
        name=name,
    )(x)


# (x, name) -> tensor.
_Norms = Callable[[tf.Tensor, str], tf.Tensor]
# The way past a block that changes the shape: (x, width, strides, norms, name) -> tensor.
_Shortcut = Callable[[tf.Tensor, int, int, _Norms, str], tf.Tensor]


def _norms(kind: str, groups: int) -> _Norms:
    return lambda x, name: norm_layer(x, kind, name, groups=groups)


def _norm_relu(x: tf.Tensor, norms: _Norms, name: str) -> tf.Tensor:
    return tf.keras.layers.ReLU(name=f"{name}_relu")(norms(x, name))


def _block(
    x: tf.Tensor, width: int, strides: int, norms: _Norms, name: str, shortcut: _Shortcut
) -> tf.Tensor:
    """Two 3x3 convolutions and the way past them."""
    y = _conv(x, width, 3, strides, f"{name}_conv1")
    y = _norm_relu(y, norms, f"{name}_bn1")
    y = norms(_conv(y, width, 3, 1, f"{name}_conv2"), f"{name}_bn2")
    if strides > 1 or x.shape[-1] != width:
        x = shortcut(x, width, strides, norms, name)
    y = tf.keras.layers.Add(name=f"{name}_add")([y, x])
    return tf.keras.layers.ReLU(name=f"{name}_relu")(y)


def _projected(x: tf.Tensor, width: int, strides: int, norms: _Norms, name: str) -> tf.Tensor:
    """The paper's option B: a 1x1 convolution."""
    return norms(_conv(x, width, 1, strides, f"{name}_downsample_0"), f"{name}_downsample_1")


def _padded(x: tf.Tensor, width: int, strides: int, norms: _Norms, name: str) -> tf.Tensor:
    """The paper's option A: every `strides`-th pixel, and zeros for the channels that are new."""
    before = (width - x.shape[-1]) // 2
    after = width - x.shape[-1] - before
    x = tf.keras.layers.AveragePooling2D(1, strides, name=f"{name}_skip")(x)
    # Keras pads positions only, so the channels stand in for one of them.
    x = tf.keras.layers.Permute((1, 3, 2), name=f"{name}_turn")(x)
    x = tf.keras.layers.ZeroPadding2D(((0, 0), (before, after)), name=f"{name}_pad")(x)
    return tf.keras.layers.Permute((1, 3, 2), name=f"{name}_turn_back")(x)


def _classes(x: tf.Tensor, num_classes: int) -> tf.Tensor:
    """The head on the mean over positions, drawn as torch draws a Linear."""
    x = tf.keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
    bound = float(x.shape[-1]) ** -0.5
    return tf.keras.layers.Dense(
        num_classes,
        kernel_initializer=tf.keras.initializers.RandomUniform(-bound, bound),
        bias_initializer=tf.keras.initializers.RandomUniform(-bound, bound),
        name="fc",
    )(x)
