"""An embedding that can be read backwards: ids to vectors, or vectors to logits (tied weights)."""

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="fed_pretrain")
class TokenEmbedding(tf.keras.layers.Embedding):
    """Keras' Embedding; with `reverse` it multiplies by its own transpose, without a bias."""

    def call(self, inputs: tf.Tensor, reverse: bool = False) -> tf.Tensor:
        if reverse:
            return tf.einsum("...d,vd->...v", inputs, self.embeddings)
        return super().call(inputs)
