"""GPT-2 (Radford et al. 2019) and DistilGPT2 (Sanh et al. 2019), in HuggingFace's layout.

GPT-2: 12 blocks, 124,439,808 parameters; DistilGPT2: 6 blocks, 81,912,576. Logits are the embedding
read backwards. Layers are HuggingFace's with underscores: wte, wpe, h_0_ln_1, h_0_attn_c_attn,
h_0_attn_c_proj, h_0_ln_2, h_0_mlp_c_fc, h_0_mlp_c_proj, ..., ln_f. Its Conv1D weights [in, out] are
our Dense kernels as they are. Sequences are padded on the right; what follows a token cannot change
its logits, so no padding mask is needed and any id can pad.
"""

import dataclasses

import tensorflow as tf

from fed_pretrain.models.attention import PositionEmbedding, SelfAttention, gelu_tanh
from fed_pretrain.models.dropout import KeyedDropout
from fed_pretrain.models.norm import LayerNorm
from fed_pretrain.models.recurrent import TokenEmbedding


@dataclasses.dataclass(frozen=True)
class Size:
    """What HuggingFace calls n_layer, n_embd, n_head and n_positions."""

    blocks: int = 12
    width: int = 768
    heads: int = 12
    positions: int = 1024


SIZES = {"gpt2": Size(), "distilgpt2": Size(blocks=6)}


def build(
    num_classes: int = 50_257,
    vocab_size: int | None = None,
    sequence_length: int | None = 64,
    *,
    size: str | Size = "gpt2",
    dropout: float = 0.1,
) -> tf.keras.Model:
    """Ids [batch, sequence_length] in, logits of each next token out."""
    if vocab_size not in (None, num_classes):
        raise ValueError(f"tied weights give {vocab_size} logits, not num_classes={num_classes}")
    sizes = SIZES[size] if isinstance(size, str) else size
    ids = tf.keras.Input(shape=(sequence_length,), dtype="int32", name="x")
    tokens = TokenEmbedding(
        num_classes, sizes.width, embeddings_initializer=_normal(0.02), name="wte"
    )
    x = PositionEmbedding(sizes.positions, embeddings_initializer=_normal(0.01), name="wpe")(
        tokens(ids)
    )
    x = KeyedDropout(dropout, name="drop")(x)
    for number in range(sizes.blocks):
        x = _block(x, sizes, dropout, f"h_{number}")
    logits = tokens(_layer_norm(x, "ln_f"), reverse=True)
    return tf.keras.Model(ids, logits, name="gpt2")


def _block(x: tf.Tensor, sizes: Size, dropout: float, name: str) -> tf.Tensor:
    """x + attention(norm(x)), then x + mlp(norm(x))."""
    residual_deviation = 0.02 * (2 * sizes.blocks) ** -0.5
    y = _layer_norm(x, f"{name}_ln_1")
    y = _dense(y, 3 * sizes.width, f"{name}_attn_c_attn")
    y = SelfAttention(sizes.heads, causal=True, rate=dropout, name=f"{name}_attn")(y)
    y = _dense(y, sizes.width, f"{name}_attn_c_proj", deviation=residual_deviation)
    y = KeyedDropout(dropout, name=f"{name}_attn_drop")(y)
    x = tf.keras.layers.Add(name=f"{name}_attn_add")([x, y])
    y = _layer_norm(x, f"{name}_ln_2")
    y = _dense(y, 4 * sizes.width, f"{name}_mlp_c_fc", activation=gelu_tanh)
    y = _dense(y, sizes.width, f"{name}_mlp_c_proj", deviation=residual_deviation)
    y = KeyedDropout(dropout, name=f"{name}_mlp_drop")(y)
    return tf.keras.layers.Add(name=f"{name}_mlp_add")([x, y])


def _normal(deviation: float) -> tf.keras.initializers.Initializer:
    return tf.keras.initializers.RandomNormal(stddev=deviation)


def _layer_norm(x: tf.Tensor, name: str) -> tf.Tensor:
    return LayerNorm(epsilon=1e-5, name=name)(x)


def _dense(
    x: tf.Tensor, units: int, name: str, deviation: float = 0.02, activation: object = None
) -> tf.Tensor:
    return tf.keras.layers.Dense(
        units, activation=activation, kernel_initializer=_normal(deviation), name=name
    )(x)
