"""EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946; TensorFlow's Lite variant).

ReLU6 in place of swish and no squeeze-and-excitation; 4,652,008 trainable parameters with 1000
classes, 4,694,024 with BatchNorm's statistics. The embedded weights (package efficientnet_lite0)
want "lite" preprocessing and reach 17 of 20 photos at 224x224. Layers are that package's without
the leading underscore and with _ for dots: conv_stem, bn0, blocks_0_depthwise_conv, ...,
conv_head, bn1, fc; norms keep their bn names whatever their kind.

The published weights come with BatchNorm; federated training wants norm="group" (the default), or
BatchNorm's statistics frozen. Strides pad as `same` does in TensorFlow, where the weights are from.
"""

import tensorflow as tf

from fed_pretrain.models import small_cnns
from fed_pretrain.models.dropout import KeyedDropout
from fed_pretrain.models.norm import norm as norm_layer

# repeats, kernel, stride of the first repeat, expansion, channels
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_EPSILON = 1e-3


def build(
    num_classes: int,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    inputs: tf.Tensor | None = None,
    *,
    norm: str = "group",
    groups: int = 32,
    dropout: float = 0.2,
) -> tf.keras.Model:
    """Lite0 with a head of `num_classes`; `groups` channels groups at most with norm="group"."""
    start = small_cnns.image_input(input_shape, inputs)

    def normed(x: tf.Tensor, name: str) -> tf.Tensor:
        return norm_layer(x, norm, name, groups=groups, epsilon=_EPSILON)

    def activated(x: tf.Tensor, name: str) -> tf.Tensor:
        return tf.keras.layers.ReLU(6.0, name=f"{name}_relu6")(normed(x, name))

    def block(
        x: tf.Tensor, kernel: int, stride: int, expand: int, width: int, name: str
    ) -> tf.Tensor:
        y = x
        if expand > 1:
            y = _conv(y, expand * x.shape[-1], 1, 1, f"{name}_expand_conv")
            y = activated(y, f"{name}_bn0")
        y = _depthwise(y, kernel, stride, f"{name}_depthwise_conv")
        y = activated(y, f"{name}_bn1")
        y = normed(_conv(y, width, 1, 1, f"{name}_project_conv"), f"{name}_bn2")
        if stride == 1 and width == x.shape[-1]:
            y = tf.keras.layers.Add(name=f"{name}_add")([y, x])
        return y

    x = activated(_conv(start, 32, 3, 2, "conv_stem"), "bn0")
    number = 0
    for repeats, kernel, stride, expand, width in _STAGES:
        for repeat in range(repeats):
            stride_here = stride if repeat == 0 else 1
            x = block(x, kernel, stride_here, expand, width, f"blocks_{number}")
            number += 1
    x = activated(_conv(x, 1280, 1, 1, "conv_head"), "bn1")
    x = tf.keras.layers.GlobalAveragePooling2D(name="avg_pooling")(x)
    x = KeyedDropout(dropout, name="dropout")(x)
    logits = tf.keras.layers.Dense(num_classes, name="fc")(x)
    return small_cnns.model(start, logits, "efficientnet_lite0")


def _conv(x: tf.Tensor, filters: int, kernel: int, strides: int, name: str) -> tf.Tensor:
    return tf.keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=small_cnns.he_fan_out(),
        name=name,
    )(x)


def _depthwise(x: tf.Tensor, kernel: int, strides: int, name: str) -> tf.Tensor:
    # A depthwise kernel [k, k, channels, 1] feeds k*k outputs: Keras' "fan_out" of its shape.
    return tf.keras.layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=small_cnns.he_fan_out(),
        name=name,
    )(x)
