"""CharLM (Kim et al. 2016, "Character-Aware Neural Language Models", arXiv 1508.06615).

Words are read as characters (convolutions of several widths, tanh, the maximum over the word, then
highway layers), an LSTM of two layers runs over the words, and the output is a softmax over words.
Sizes as published (their table 2); parameters at 10,000 words and 51 characters: small 5,310,115
("5m" in the paper), large 19,367,965 ("19m").

Input: character ids [batch, words, characters of a word], 0 = padding. Layers: char_embedding,
conv_w1.., highway_0_transform, highway_0_gate, .., lstm_0, lstm_1, output. The paper draws all
weights from U(-.05, .05) and starts the highway's gate at bias -2; hidden states are not carried
from one example to the next here, since federated examples are shuffled.
"""

import dataclasses

import tensorflow as tf

from fed_pretrain.models.dropout import KeyedDropout
from fed_pretrain.models.recurrent import lstm


@dataclasses.dataclass(frozen=True)
class Size:
    """Widths of the convolutions with their filters, highway layers, and LSTM units."""

    filters: tuple[tuple[int, int], ...]
    highways: int
    units: int
    characters: int = 15


SIZES = {
    "small": Size(tuple((w, 25 * w) for w in range(1, 7)), highways=1, units=300),
    "large": Size(tuple((w, min(200, 50 * w)) for w in range(1, 8)), highways=2, units=650),
}


def build(
    num_classes: int = 10_000,
    vocab_size: int = 51,
    sequence_length: int | None = 35,
    *,
    word_length: int = 21,
    size: str | Size = "small",
    dropout: float = 0.5,
    cudnn: bool = True,
) -> tf.keras.Model:
    """`num_classes` words, `vocab_size` characters, `word_length` characters a word."""
    sizes = SIZES[size] if isinstance(size, str) else size
    widest = max(width for width, _ in sizes.filters)
    if word_length < widest:
        raise ValueError(f"word_length {word_length} is shorter than the widest filter, {widest}")
    ids = tf.keras.Input(shape=(sequence_length, word_length), dtype="int32", name="x")
    x = tf.keras.layers.Embedding(
        vocab_size, sizes.characters, embeddings_initializer=_uniform(), name="char_embedding"
    )(ids)
    x = _words_of_characters(x, sizes.filters, word_length)
    for number in range(sizes.highways):
        x = _highway(x, f"highway_{number}")
    for number in (0, 1):
        if number:
            x = KeyedDropout(dropout, name=f"dropout_{number}")(x)
        drawn = {"recurrent_initializer": _uniform(), "unit_forget_bias": False, **_drawn()}
        x = lstm(sizes.units, f"lstm_{number}", cudnn=cudnn, **drawn)(x)
    x = KeyedDropout(dropout, name="dropout_2")(x)
    logits = tf.keras.layers.Dense(num_classes, name="output", **_drawn())(x)
    return tf.keras.Model(ids, logits, name="char_cnn_lm")


def _uniform() -> tf.keras.initializers.Initializer:
    return tf.keras.initializers.RandomUniform(-0.05, 0.05)


def _drawn() -> dict[str, tf.keras.initializers.Initializer]:
    return {"kernel_initializer": _uniform(), "bias_initializer": _uniform()}


def _words_of_characters(
    x: tf.Tensor, filters: tuple[tuple[int, int], ...], word_length: int
) -> tf.Tensor:
    """One vector a word: each filter's strongest answer anywhere in it."""
    features = []
    for width, count in filters:
        y = tf.keras.layers.Conv2D(
            count, (1, width), activation="tanh", name=f"conv_w{width}", **_drawn()
        )(x)
        y = tf.keras.layers.MaxPooling2D((1, word_length - width + 1), name=f"max_w{width}")(y)
        features.append(tf.keras.layers.Reshape((-1, count), name=f"words_w{width}")(y))
    return tf.keras.layers.Concatenate(name="words")(features)


def _highway(x: tf.Tensor, name: str) -> tf.Tensor:
    """gate * relu(transform) + (1 - gate) * x  (Srivastava et al. 2015)."""
    width, dense = x.shape[-1], tf.keras.layers.Dense
    transform = dense(width, activation="relu", name=f"{name}_transform", **_drawn())(x)
    closed = {**_drawn(), "bias_initializer": tf.keras.initializers.Constant(-2.0)}
    gate = dense(width, activation="sigmoid", name=f"{name}_gate", **closed)(x)
    change = tf.keras.layers.Subtract(name=f"{name}_change")([transform, x])
    gated = tf.keras.layers.Multiply(name=f"{name}_gated")([gate, change])
    return tf.keras.layers.Add(name=f"{name}_carry")([x, gated])
