"""ResNet-18 (He et al. 2016, arXiv 1512.03385) in torchvision's layout, with a choice of norm.

Both papers train it from torchvision's ImageNet weights with GroupNorm put in BatchNorm's place.
11,689,512 parameters with 1000 classes, with either norm. Layers are torchvision's with
underscores: conv1, bn1, layer1_0_conv1, layer1_0_bn1, ..., layer2_0_downsample_0,
layer2_0_downsample_1, fc; the norms are called bn* whatever their kind. Padding is torch's (equal
on all sides).
"""

import tensorflow as tf

from fed_pretrain.models import image_input
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
    start = image_input.image_input(input_shape, inputs)
    if stem == "imagenet":
        x = _conv(start, 64, 7, 2, "conv1")
        x = _norm_relu(x, norm, groups, "bn1")
        # Behind a ReLU zeros pad as torch's minus infinity does.
        x = tf.keras.layers.ZeroPadding2D(1, name="maxpool_pad")(x)
        x = tf.keras.layers.MaxPooling2D(3, 2, name="maxpool")(x)
    elif stem == "cifar":
        x = _norm_relu(_conv(start, 64, 3, 1, "conv1"), norm, groups, "bn1")
    else:
        raise ValueError(f"stem is imagenet or cifar, not {stem!r}")
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            strides = 2 if stage > 1 and block == 0 else 1
            x = _block(x, width, strides, norm, groups, f"layer{stage}_{block}")
    x = tf.keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
    logits = _linear(x, num_classes)
    return image_input.model(start, logits, "resnet18")


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
        kernel_initializer=tf.keras.initializers.VarianceScaling(
            2.0, "fan_out", "untruncated_normal"
        ),
        name=name,
    )(x)


def _norm_relu(x: tf.Tensor, norm: str, groups: int, name: str) -> tf.Tensor:
    return tf.keras.layers.ReLU(name=f"{name}_relu")(norm_layer(x, norm, name, groups=groups))


def _block(x: tf.Tensor, width: int, strides: int, norm: str, groups: int, name: str) -> tf.Tensor:
    """Two 3x3 convolutions and the way past them."""
    y = _conv(x, width, 3, strides, f"{name}_conv1")
    y = _norm_relu(y, norm, groups, f"{name}_bn1")
    y = _conv(y, width, 3, 1, f"{name}_conv2")
    y = norm_layer(y, norm, f"{name}_bn2", groups=groups)
    if strides > 1 or x.shape[-1] != width:
        x = _conv(x, width, 1, strides, f"{name}_downsample_0")
        x = norm_layer(x, norm, f"{name}_downsample_1", groups=groups)
    y = tf.keras.layers.Add(name=f"{name}_add")([y, x])
    return tf.keras.layers.ReLU(name=f"{name}_relu")(y)


def _linear(x: tf.Tensor, num_classes: int) -> tf.Tensor:
    """The head, drawn as torch draws a Linear."""
    bound = float(x.shape[-1]) ** -0.5
    return tf.keras.layers.Dense(
        num_classes,
        kernel_initializer=tf.keras.initializers.RandomUniform(-bound, bound),
        bias_initializer=tf.keras.initializers.RandomUniform(-bound, bound),
        name="fc",
    )(x)
