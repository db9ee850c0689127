"""The mean of a text's word vectors and a linear head: fastText without n-grams.

Joulin et al. 2017 (arXiv 1607.01759). The least that classifies text; id 0 is padding.
"""

import tensorflow as tf

from fed_pretrain.models.attention import MeanOfTokens


def build(
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
