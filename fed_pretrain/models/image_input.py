"""Where an image model begins: on its own float input, or on a tensor that brings preprocessing."""

import tensorflow as tf


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
