"""Proposition 1, exactly: w_jr = w_jr^0 + j Gamma_jr mu / ||mu||^2 + sum_i P_jri xi_i / ||xi_i||^2.

For more than two classes a filter has one coefficient per signal; its Gamma is the one on the
signal of its own class. Aligned (Definition 1): <w, signal of its class> >= 0.
"""

from typing import NamedTuple

import tensorflow as tf

from fed_pretrain.theory.training import Runs


class Decomposition(NamedTuple):
    gamma: tf.Tensor  # [..., classes, filters]
    noise: tf.Tensor  # P: [..., clients, samples, classes, filters]


def decompose(runs: Runs, coefficients: tf.Tensor) -> Decomposition:
    """From the coefficients of the patches, [..., b, k, p, f]."""
    classes = int(runs.labels.shape[-1])
    squares = tf.reduce_sum(runs.patches**2, axis=-1)[..., None]
    scaled = coefficients * squares
    shape = tf.concat([tf.shape(scaled)[:-1], [classes, -1]], axis=0)
    scaled = tf.reshape(scaled, shape)
    on_signals = tf.reduce_sum(scaled[..., -classes:, :, :], axis=-4)
    if classes == 2:
        # One direction: y = -1 shows -mu, so a filter's two coefficients count against each other.
        own = tf.stack(
            [
                on_signals[..., 0, 0, :] - on_signals[..., 1, 0, :],
                on_signals[..., 1, 1, :] - on_signals[..., 0, 1, :],
            ],
            axis=-2,
        )
    else:
        own = tf.stack([on_signals[..., c, c, :] for c in range(classes)], axis=-2)
    return Decomposition(own, scaled[..., :-classes, :, :])


def reconstruction_error(runs: Runs, server: tf.Tensor, coefficients: tf.Tensor) -> tf.Tensor:
    """[..., b]: the largest difference between the weights and what the coefficients make."""
    made = tf.reduce_sum(tf.matmul(coefficients, runs.patches, transpose_a=True), axis=-3)
    return tf.reduce_max(tf.abs(runs.start + made - server), axis=[-2, -1])


def own_products(products: tf.Tensor) -> tf.Tensor:
    """[..., classes, filters]: <w, signal of its class>, from [..., f, classes]."""
    classes = int(products.shape[-1])
    filters = int(products.shape[-2]) // classes
    return tf.stack(
        [products[..., c * filters : (c + 1) * filters, c] for c in range(classes)], axis=-2
    )
