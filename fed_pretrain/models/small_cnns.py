"""Softmax regression: the convex model, and the least a round can cost in benchmarks.

7,850 parameters at 28x28x1 and 10 classes. Zero initial weights would do; Keras' Glorot is kept.
"""

import tensorflow as tf

from fed_pretrain.models.dropout import KeyedDropout
from fed_pretrain.models.norm import norm as norm_layer


def linear(
    num_classes: int, input_shape: tuple[int, ...] = (28, 28, 1), inputs: tf.Tensor | None = None
) -> tf.keras.Model:
    """Takes images or plain vectors."""
    start = image_input(input_shape, inputs)
    x = tf.keras.layers.Flatten(name="flatten")(start)
    logits = tf.keras.layers.Dense(num_classes, name="head")(x)
    return model(start, logits, "linear")


def edge_cnn(
    num_classes: int,
    input_shape: tuple[int, int, int] = (28, 28, 1),
    inputs: tf.Tensor | None = None,
) -> tf.keras.Model:
    """Takes any image of at least 8x8; the pooled features and so the head do not grow with it."""
    start = image_input(input_shape, inputs)
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
    return model(start, logits, "edge_cnn")


def emnist_cnn(
    num_classes: int,
    input_shape: tuple[int, int, int] = (28, 28, 1),
    inputs: tf.Tensor | None = None,
    *,
    dropout: float = 0.5,
) -> tf.keras.Model:
    """`dropout` is the rate before the head, half of it before the dense layer; 0: none."""
    start = image_input(input_shape, inputs)
    layers = tf.keras.layers
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(start)
    x = layers.Conv2D(64, 3, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = KeyedDropout(0.5 * dropout, name="dropout1")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(128, activation="relu", name="dense")(x)
    x = KeyedDropout(dropout, name="dropout2")(x)
    logits = layers.Dense(num_classes, name="head")(x)
    return model(start, logits, "emnist_cnn")


def small_cnn(
    num_classes: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    inputs: tf.Tensor | None = None,
    *,
    widths: tuple[int, ...] = (32, 64, 64),
    norm: str = "none",
    groups: int = 32,
) -> tf.keras.Model:
    """One convolution, ReLU and pooling a width; images of at least 2**len(widths) pixels."""
    x = start = image_input(input_shape, inputs)
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
    return model(start, logits, "small_cnn")


def he_fan_out() -> tf.keras.initializers.Initializer:
    """He et al. 2015 by outputs, as torchvision draws convolutions."""
    return tf.keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def image_input(input_shape: tuple[int, ...], inputs: tf.Tensor | None) -> tf.Tensor:
    """The tensor the body is built on; of floats, already normalised."""
    if inputs is None:
        return tf.keras.Input(shape=input_shape, name="x")
    if tuple(inputs.shape[1:]) != tuple(input_shape):
        raise ValueError(f"input_shape is {input_shape}, the given tensor {tuple(inputs.shape)}")
    return inputs


def model(x: tf.Tensor, logits: tf.Tensor, name: str) -> tf.keras.Model:
    """One flat model from the source of `x`, preprocessing layers included, to the logits."""
    sources = tf.keras.utils.get_source_inputs(x)
    return tf.keras.Model(sources[0] if len(sources) == 1 else sources, logits, name=name)
