"""The Stack Overflow next-word LSTM of the FedOpt line (Reddi et al. 2021, arXiv 2003.00295).

Embedding 96, one LSTM of 670, a linear projection back to 96, and logits over the vocabulary: its
own layer (4,050,748 parameters at 10,000 words and 4 special ids), or, tied, the embedding
backwards without a bias (3,080,360). Layers: embedding, lstm, projection, output.

The original masks id 0. Sequences are padded on the right and padded targets do not count, so the
mask changes no number that is used, and we leave it out: the fused kernel is slower with one.
"""

import tensorflow as tf

from fed_pretrain.models.lstm import lstm
from fed_pretrain.models.token_embedding import TokenEmbedding


def build(
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
