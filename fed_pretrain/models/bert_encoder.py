"""A BERT encoder (Devlin et al. 2019, arXiv 1810.04805) with a classification head.

The default shape is MiniLM-L6 (Wang et al. 2020, arXiv 2002.10957), whose sentence-transformer
weights are embedded (package minilm): 22,713,216 parameters with the pooler of pooling="cls", which
the head comes on top of; the sentence-transformer itself takes the mean of the tokens
(pooling="mean", the default; 22,565,376) and leaves the pooler unused.

Ids [batch, sequence_length] in, 0 = padding; one segment. Layers are HuggingFace's with
underscores: embeddings_word_embeddings, embeddings_position_embeddings,
embeddings_token_type_embeddings, embeddings_LayerNorm, encoder_layer_0_attention_self_query, ...,
encoder_layer_0_output_LayerNorm, pooler_dense, classifier. HuggingFace's Linear weights are our
kernels transposed.
"""

import dataclasses

import tensorflow as tf

from fed_pretrain.models.attention import MeanOfTokens, PositionEmbedding, SelfAttention
from fed_pretrain.models.dropout import KeyedDropout
from fed_pretrain.models.norm import LayerNorm


@dataclasses.dataclass(frozen=True)
class Size:
    """The shape of the encoder."""

    blocks: int = 6
    width: int = 384
    heads: int = 12
    inner: int = 1536
    positions: int = 512


SIZES = {"minilm_l6": Size(), "bert_base": Size(12, 768, 12, 3072)}


def build(
    num_classes: int,
    vocab_size: int = 30_522,
    sequence_length: int = 64,
    *,
    size: str | Size = "minilm_l6",
    pooling: str = "mean",
    dropout: float = 0.1,
) -> tf.keras.Model:
    """`pooling` is "mean" (of the tokens) or "cls" (BERT's own: first token, dense, tanh)."""
    if pooling not in ("mean", "cls"):
        raise ValueError(f"pooling is mean or cls, not {pooling!r}")
    sizes = SIZES[size] if isinstance(size, str) else size
    ids = tf.keras.Input(shape=(sequence_length,), dtype="int32", name="x")
    x = _embedded(ids, vocab_size, sizes)
    x = KeyedDropout(dropout, name="embeddings_dropout")(x)
    for number in range(sizes.blocks):
        x = _block(x, ids, sizes, dropout, f"encoder_layer_{number}")
    if pooling == "mean":
        x = MeanOfTokens(name="mean")([x, ids])
    else:
        x = tf.keras.layers.Cropping1D((0, sequence_length - 1), name="cls")(x)
        x = tf.keras.layers.Flatten(name="cls_vector")(x)
        x = _dense(x, sizes.width, "pooler_dense", activation="tanh")
    x = KeyedDropout(dropout, name="dropout")(x)
    logits = _dense(x, num_classes, "classifier")
    return tf.keras.Model(ids, logits, name="bert_encoder")


def _embedded(ids: tf.Tensor, vocab_size: int, sizes: Size) -> tf.Tensor:
    x = tf.keras.layers.Embedding(
        vocab_size, sizes.width, embeddings_initializer=_normal(), name="embeddings_word_embeddings"
    )(ids)
    x = PositionEmbedding(
        2, row=0, embeddings_initializer=_normal(), name="embeddings_token_type_embeddings"
    )(x)
    x = PositionEmbedding(
        sizes.positions, embeddings_initializer=_normal(), name="embeddings_position_embeddings"
    )(x)
    return _layer_norm(x, "embeddings_LayerNorm")


def _block(x: tf.Tensor, ids: tf.Tensor, sizes: Size, dropout: float, name: str) -> tf.Tensor:
    """norm(x + attention(x)), then norm(x + mlp(x))."""
    heads = [
        _dense(x, sizes.width, f"{name}_attention_self_{w}") for w in ("query", "key", "value")
    ]
    y = tf.keras.layers.Concatenate(name=f"{name}_attention_self_joined")(heads)
    y = SelfAttention(sizes.heads, rate=dropout, name=f"{name}_attention_self")([y, ids])
    y = _dense(y, sizes.width, f"{name}_attention_output_dense")
    y = KeyedDropout(dropout, name=f"{name}_attention_output_dropout")(y)
    y = tf.keras.layers.Add(name=f"{name}_attention_output_add")([x, y])
    x = _layer_norm(y, f"{name}_attention_output_LayerNorm")
    y = _dense(x, sizes.inner, f"{name}_intermediate_dense", activation="gelu")
    y = _dense(y, sizes.width, f"{name}_output_dense")
    y = KeyedDropout(dropout, name=f"{name}_output_dropout")(y)
    y = tf.keras.layers.Add(name=f"{name}_output_add")([x, y])
    return _layer_norm(y, f"{name}_output_LayerNorm")


def _normal() -> tf.keras.initializers.Initializer:
    return tf.keras.initializers.TruncatedNormal(stddev=0.02)


def _layer_norm(x: tf.Tensor, name: str) -> tf.Tensor:
    return LayerNorm(epsilon=1e-12, name=name)(x)


def _dense(x: tf.Tensor, units: int, name: str, activation: str | None = None) -> tf.Tensor:
    return tf.keras.layers.Dense(
        units, activation=activation, kernel_initializer=_normal(), name=name
    )(x)
