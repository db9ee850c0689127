"""The character LSTM of textgenrnn 2.0 (M. Woolf), trained by its author on Reddit texts.

The embedding and two LSTM layers are concatenated and averaged over the window by an attention
that is not masked (padding takes part, as in the published weights). 461,693 parameters at 465
characters.
Window of ids (0 = padding, on the left) in, logits of the next character out.
Layers: embedding, rnn_1, rnn_2, rnn_concat, attention, output; attention/kernel is textgenrnn's
attention_W. textgenrnn ends in a softmax, we in its logits.
"""

import tensorflow as tf

from fed_pretrain.models.lstm import lstm


def build(
    num_classes: int = 465,
    vocab_size: int | None = None,
    sequence_length: int = 40,
    *,
    embedding: int = 100,
    units: int = 128,
    cudnn: bool = True,
) -> tf.keras.Model:
    """`vocab_size` (default: `num_classes`) ids can stand in a window."""
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
