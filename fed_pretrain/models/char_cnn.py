"""A small causal convolutional network over characters: every place predicts the next one.

Two convolutions that see no later place, as in Bai et al. 2018 (arXiv 1803.01271), without their
residuals; each place sees the last ten. 30,114 parameters at 98 characters.
"""

import tensorflow as tf


def build(
    num_classes: int,
    vocab_size: int | None = None,
    sequence_length: int | None = 64,
    *,
    embedding: int = 32,
    width: int = 64,
) -> tf.keras.Model:
    """Ids [batch, sequence_length] in, logits of each next character out."""
    layers = tf.keras.layers
    causal = {"padding": "causal", "activation": "relu", "kernel_initializer": "he_uniform"}
    ids = tf.keras.Input(shape=(sequence_length,), dtype="int32", name="x")
    x = layers.Embedding(vocab_size or num_classes, embedding, name="embedding")(ids)
    x = layers.Conv1D(width, 4, name="conv1", **causal)(x)
    x = layers.Conv1D(width, 3, dilation_rate=3, name="conv2", **causal)(x)
    return tf.keras.Model(ids, layers.Dense(num_classes, name="output")(x), name="char_cnn")
