"""Curvature needs gradients of gradients: each kind of model against central differences."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import (
    bert_encoder,
    char_cnn,
    char_cnn_lm,
    gpt2,
    recurrent,
    small_cnns,
    squeezenet,
)

BUILDERS = {
    "squeezenet": lambda: squeezenet.build(3, (28, 28, 1)),
    "edge_cnn": lambda: small_cnns.edge_cnn(3, (12, 12, 1)),
    "group_norm": lambda: small_cnns.small_cnn(3, (8, 8, 2), widths=(4, 8), norm="group"),
    "batch_norm": lambda: small_cnns.small_cnn(3, (8, 8, 2), widths=(4, 8), norm="batch"),
    "char_lstm": lambda: recurrent.char_lstm(
        5, sequence_length=4, embedding=3, units=4, cudnn=False
    ),
    "char_lstm_fused_on_cpu": lambda: recurrent.char_lstm(
        5, sequence_length=4, embedding=3, units=4
    ),
    "word_lstm_tied": lambda: recurrent.word_lstm(
        5, sequence_length=4, embedding=3, units=4, tied=True, cudnn=False
    ),
    "char_cnn": lambda: char_cnn.build(5, sequence_length=4, embedding=3, width=4),
    "char_cnn_lm": lambda: char_cnn_lm.build(
        5,
        7,
        sequence_length=3,
        word_length=4,
        size=char_cnn_lm.Size(((1, 2), (2, 3)), highways=1, units=4, characters=3),
        cudnn=False,
    ),
    "gpt2": lambda: gpt2.build(5, sequence_length=4, size=gpt2.Size(1, 8, 2, 6)),
    "bert": lambda: bert_encoder.build(
        3, 7, sequence_length=4, size=bert_encoder.Size(1, 8, 2, 12, 6)
    ),
}


@pytest.fixture(autouse=True)
def float64():
    """Steps so small that no ReLU changes side need more digits than float32 has."""
    tf.keras.mixed_precision.set_global_policy("float64")
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


def smooth_loss(model: tf.keras.Model, x: np.ndarray) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.log_softmax(model(x, training=False))[..., 0])


HEAVY = ("squeezenet", "char_lstm_fused_on_cpu")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in HEAVY else ()) for n in sorted(BUILDERS)],
)
def test_a_hessian_vector_product_equals_the_difference_of_two_gradients(name):
    tf.keras.utils.set_random_seed(5)
    model = BUILDERS[name]()
    shape = model.inputs[0].shape[1:]
    random = np.random.default_rng(1)
    if model.inputs[0].dtype == tf.int32:
        x = random.integers(1, 5, (4, *shape)).astype(np.int32)
    else:
        x = random.standard_normal((4, *shape))
    weights = model.trainable_variables
    # Away from the initial values, which are small enough to hide a wrong term.
    for w in weights:
        w.assign_add(random.normal(0, 0.2, w.shape))
    direction = [random.standard_normal(w.shape) for w in weights]
    norm = np.sqrt(sum(np.sum(d**2) for d in direction))
    direction = [d / norm for d in direction]

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            loss = smooth_loss(model, x)
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, weights)]

    @tf.function
    def product():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss = smooth_loss(model, x)
            slopes = [tf.convert_to_tensor(g) for g in inner.gradient(loss, weights)]
            along = tf.add_n([tf.reduce_sum(g * d) for g, d in zip(slopes, direction, strict=True)])
        return outer.gradient(along, weights, unconnected_gradients="zero")

    exact = [tf.convert_to_tensor(p).numpy() for p in product()]
    step, sides = 1e-6, []
    for sign in (1, -1):
        for w, d in zip(weights, direction, strict=True):
            w.assign_add(sign * step * d)
        sides.append([g.numpy() for g in gradient()])
        for w, d in zip(weights, direction, strict=True):
            w.assign_sub(sign * step * d)
    approximate = [(a - b) / (2 * step) for a, b in zip(*sides, strict=True)]
    size = np.sqrt(sum(np.sum(a**2) for a in exact))
    error = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(exact, approximate, strict=True)))
    assert size > 1e-6
    assert error < 1e-4 * size
