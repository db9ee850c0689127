"""The EMNIST CNN of the adaptive federated optimization line (Reddi et al. 2021, arXiv 2003.00295).

Two 3x3 convolutions (32, 64), 2x2 pooling, dropout, dense 128, dropout, dense head: 1,206,590
parameters at 28x28x1 and 62 classes, 1,199,882 at 10. It has no norm.
"""

import tensorflow as tf

from fed_pretrain.models import image_input
from fed_pretrain.models.dropout import KeyedDropout


def build(
    num_classes: int,
    input_shape: tuple[int, int, int] = (28, 28, 1),
    inputs: tf.Tensor | None = None,
    *,
    dropout: float = 0.5,
) -> tf.keras.Model:
    """`dropout` is the rate before the head, half of it before the dense layer; 0: none."""
    start = image_input.image_input(input_shape, inputs)
    layers = tf.keras.layers
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(start)
    x = layers.Conv2D(64, 3, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = KeyedDropout(0.5 * dropout, name="dropout1")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(128, activation="relu", name="dense")(x)
    x = KeyedDropout(dropout, name="dropout2")(x)
    logits = layers.Dense(num_classes, name="head")(x)
    return image_input.model(start, logits, "emnist_cnn")
