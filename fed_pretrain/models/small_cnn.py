"""A CNN of three convolutions, for "does misalignment persist with depth".

Our own sizes, in the line of the small CIFAR-10 networks of the federated literature: 3x3 with 32,
64 and 64 filters, each followed by ReLU and 2x2 pooling, and a linear head (66,570 parameters at
32x32x3 and 10 classes).
"""

import tensorflow as tf

from fed_pretrain.models import image_input
from fed_pretrain.models.norm import norm as norm_layer


def build(
    num_classes: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    inputs: tf.Tensor | None = None,
    *,
    widths: tuple[int, ...] = (32, 64, 64),
    norm: str = "none",
    groups: int = 32,
) -> tf.keras.Model:
    """One convolution, ReLU and pooling a width; images of at least 2**len(widths) pixels."""
    x = start = image_input.image_input(input_shape, inputs)
    layers = tf.keras.layers
    for number, width in enumerate(widths, start=1):
        x = layers.Conv2D(
            width, 3, padding="same", kernel_initializer="he_normal", name=f"conv{number}"
        )(x)
        x = norm_layer(x, norm, f"bn{number}", groups=groups)
        x = layers.ReLU(name=f"relu{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    logits = layers.Dense(num_classes, name="head")(x)
    return image_input.model(start, logits, "small_cnn")
