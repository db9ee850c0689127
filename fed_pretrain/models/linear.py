"""Softmax regression: the convex model, and the least a round can cost in benchmarks.

7,850 parameters at 28x28x1 and 10 classes. Zero initial weights would do; Keras' Glorot is kept.
"""

import tensorflow as tf

from fed_pretrain.models import image_input


def build(
    num_classes: int,
    input_shape: tuple[int, ...] = (28, 28, 1),
    inputs: tf.Tensor | None = None,
) -> tf.keras.Model:
    """Takes images or plain vectors."""
    start = image_input.image_input(input_shape, inputs)
    x = tf.keras.layers.Flatten(name="flatten")(start)
    logits = tf.keras.layers.Dense(num_classes, name="head")(x)
    return image_input.model(start, logits, "linear")
