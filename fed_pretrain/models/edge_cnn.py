"""A CNN for devices with little memory: two convolutions, under 30,000 parameters.

Our own sizes (no paper's): 5x5 with 16 filters, 3x3 with 32 filters, each pooled by 2, then average
pooling to 3x3 at most and a linear head: 22,974 parameters at 28x28x1 and 62 classes.
"""

import tensorflow as tf

from fed_pretrain.models import image_input


def build(
    num_classes: int,
    input_shape: tuple[int, int, int] = (28, 28, 1),
    inputs: tf.Tensor | None = None,
) -> tf.keras.Model:
    """Takes any image of at least 8x8; the pooled features and so the head do not grow with it."""
    start = image_input.image_input(input_shape, inputs)
    layers = tf.keras.layers
    conv = {"padding": "same", "activation": "relu", "kernel_initializer": "he_uniform"}
    x = layers.Conv2D(16, 5, name="conv1", **conv)(start)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(32, 3, name="conv2", **conv)(x)
    x = layers.MaxPooling2D(2, name="pool2")(x)
    window = min(x.shape[1:3]) // 4 + 1
    if window > 1:
        x = layers.AveragePooling2D(window, name="pool3")(x)
    x = layers.Flatten(name="flatten")(x)
    logits = layers.Dense(num_classes, name="head")(x)
    return image_input.model(start, logits, "edge_cnn")
