"""An LSTM with or without the fused kernel, the weights the same.

The fused GPU kernel has no second derivative; curvature needs the plain cell.
"""

import tensorflow as tf

from fed_pretrain.models import lstm_loop
from fed_pretrain.models.attention import MeanOfTokens


def lstm(units: int, name: str, *, cudnn: bool = True, **kwargs: object) -> tf.keras.layers.Layer:
    """All hidden states of an LSTM; `cudnn=False` can be differentiated twice on every device."""
    if lstm_loop.wanted():
        return lstm_loop.LSTM(units, return_sequences=True, name=name, **kwargs)
    if cudnn:
        return tf.keras.layers.LSTM(units, return_sequences=True, name=name, **kwargs)
    cell = tf.keras.layers.LSTMCell(units, **kwargs)
    return tf.keras.layers.RNN(cell, return_sequences=True, name=name)


@tf.keras.saving.register_keras_serializable(package="fed_pretrain")
class TokenEmbedding(tf.keras.layers.Embedding):
    """Keras' Embedding; with `reverse` it multiplies by its own transpose, without a bias."""

    def call(self, inputs: tf.Tensor, reverse: bool = False) -> tf.Tensor:
        if reverse:
            return tf.tensordot(inputs, self.embeddings, [[-1], [1]])
        return super().call(inputs)


def char_lstm(
    num_classes: int = 465,
    vocab_size: int | None = None,
    sequence_length: int = 40,
    *,
    embedding: int = 100,
    units: int = 128,
    cudnn: bool = True,
) -> tf.keras.Model:
    """`vocab_size` (default: `num_classes`) ids can be in a window."""
    layers = tf.keras.layers
    ids = tf.keras.Input(shape=(sequence_length,), dtype="int32", name="x")
    embedded = layers.Embedding(vocab_size or num_classes, embedding, name="embedding")(ids)
    first = lstm(units, "rnn_1", cudnn=cudnn)(embedded)
    second = lstm(units, "rnn_2", cudnn=cudnn)(first)
    states = layers.Concatenate(name="rnn_concat")([embedded, first, second])
    scores = layers.Dense(1, use_bias=False, name="attention")(states)
    shares = layers.Softmax(axis=1, name="attention_shares")(scores)
    mean = layers.Dot(axes=1, name="attention_sum")([shares, states])
    mean = layers.Flatten(name="attention_mean")(mean)
    logits = layers.Dense(num_classes, name="output")(mean)
    return tf.keras.Model(ids, logits, name="char_lstm")


def word_lstm(
    num_classes: int = 10_004,
    vocab_size: int | None = None,
    sequence_length: int | None = 20,
    *,
    embedding: int = 96,
    units: int = 670,
    tied: bool = False,
    cudnn: bool = True,
) -> tf.keras.Model:
    """Ids [batch, sequence_length] in, logits of each next word out."""
    if tied and vocab_size not in (None, num_classes):
        raise ValueError(f"tied weights give {vocab_size} logits, not num_classes={num_classes}")
    ids = tf.keras.Input(shape=(sequence_length,), dtype="int32", name="x")
    # The plain layer where it will do: such a model's file opens without this package.
    kind = TokenEmbedding if tied else tf.keras.layers.Embedding
    words = kind(vocab_size or num_classes, embedding, name="embedding")
    x = lstm(units, "lstm", cudnn=cudnn)(words(ids))
    x = tf.keras.layers.Dense(embedding, name="projection")(x)
    if tied:
        logits = words(x, reverse=True)
    else:
        logits = tf.keras.layers.Dense(num_classes, name="output")(x)
    return tf.keras.Model(ids, logits, name="word_lstm")


def word_bag(
    num_classes: int,
    vocab_size: int = 10_000,
    sequence_length: int | None = 64,
    *,
    embedding: int = 64,
) -> tf.keras.Model:
    """Ids [batch, sequence_length] in, logits of the classes out."""
    ids = tf.keras.Input(shape=(sequence_length,), dtype="int32", name="x")
    x = tf.keras.layers.Embedding(vocab_size, embedding, name="embedding")(ids)
    x = MeanOfTokens(name="mean")([x, ids])
    logits = tf.keras.layers.Dense(num_classes, name="head")(x)
    return tf.keras.Model(ids, logits, name="word_bag")
