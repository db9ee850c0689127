"""The parts of a transformer that Keras has no plain layer for; weights only in embeddings."""

import tensorflow as tf

from fed_pretrain.models import dropout

# Far below any score, yet finite: a row of nothing but padding stays a number.
_MASKED = -1e9


@tf.keras.saving.register_keras_serializable(package="fed_pretrain")
class SelfAttention(tf.keras.layers.Layer):
    """Scaled dot-product attention of many heads, without weights.

    Takes queries, keys and values side by side, [batch, length, 3 * width] (what GPT-2's c_attn
    gives), or that and the token ids whose `padding_id` nobody may look at. Gives [batch, length,
    width]. The projections around it are plain Dense layers, so weights map one to one.
    """

    def __init__(
        self,
        heads: int,
        causal: bool = False,
        rate: float = 0.0,
        padding_id: int = 0,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.heads = heads
        self.causal = causal
        self.rate = rate
        self.padding_id = padding_id

    def call(self, inputs: tf.Tensor | list[tf.Tensor], training: object = None) -> tf.Tensor:
        joined, ids = inputs if isinstance(inputs, list | tuple) else (inputs, None)
        length, width = tf.shape(joined)[1], joined.shape[-1] // 3
        size = width // self.heads
        split = tf.reshape(joined, [-1, length, 3, self.heads, size])
        query, key, value = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]), axis=0)
        scores = tf.matmul(query, key, transpose_b=True) * size**-0.5
        if self.causal:
            earlier = tf.linalg.band_part(tf.ones([length, length], tf.bool), -1, 0)
            scores = tf.where(earlier, scores, _MASKED)
        if ids is not None:
            real = tf.not_equal(ids, self.padding_id)[:, tf.newaxis, tf.newaxis, :]
            scores = tf.where(real, scores, _MASKED)
        shares = dropout.drop(tf.nn.softmax(scores), self.rate, self.name, training)
        mixed = tf.transpose(tf.matmul(shares, value), [0, 2, 1, 3])
        return tf.reshape(
            mixed, [-1, length if joined.shape[1] is None else joined.shape[1], width]
        )

    def get_config(self) -> dict[str, object]:
        own = {
            "heads": self.heads,
            "causal": self.causal,
            "rate": self.rate,
            "padding_id": self.padding_id,
        }
        return {**super().get_config(), **own}


@tf.keras.saving.register_keras_serializable(package="fed_pretrain")
class PositionEmbedding(tf.keras.layers.Layer):
    """Adds row t of a learned table to the vector at position t (or one row to all, `row`)."""

    def __init__(
        self,
        rows: int,
        row: int | None = None,
        embeddings_initializer: object = "uniform",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.rows = rows
        self.row = row
        self.embeddings_initializer = tf.keras.initializers.get(embeddings_initializer)

    def build(self, input_shape: tf.TensorShape) -> None:
        length = input_shape[1]
        if self.row is None and length is not None and length > self.rows:
            raise ValueError(f"{self.name} has {self.rows} positions, the sequences {length}")
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.rows, input_shape[-1]),
            initializer=self.embeddings_initializer,
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if self.row is not None:
            return inputs + self.embeddings[self.row]
        return inputs + self.embeddings[: tf.shape(inputs)[1]]

    def get_config(self) -> dict[str, object]:
        own = {
            "rows": self.rows,
            "row": self.row,
            "embeddings_initializer": tf.keras.initializers.serialize(self.embeddings_initializer),
        }
        return {**super().get_config(), **own}


@tf.keras.saving.register_keras_serializable(package="fed_pretrain")
class MeanOfTokens(tf.keras.layers.Layer):
    """The mean vector of a sequence over the tokens that are not padding."""

    def __init__(self, padding_id: int = 0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.padding_id = padding_id

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        x, ids = inputs
        real = tf.cast(tf.not_equal(ids, self.padding_id), x.dtype)[:, :, tf.newaxis]
        count = tf.maximum(tf.reduce_sum(real, axis=1), 1.0)
        return tf.reduce_sum(x * real, axis=1) / count

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "padding_id": self.padding_id}


@tf.keras.saving.register_keras_serializable(package="fed_pretrain")
def gelu_tanh(x: tf.Tensor) -> tf.Tensor:
    """GELU by tanh, as GPT-2 was trained with ("gelu_new")."""
    return tf.nn.gelu(x, approximate=True)
