import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.curvature import lanczos
from fed_pretrain.curvature.linear_operator import NotFinite
from fed_pretrain.curvature.loss_operators import check_model
from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.tasks.objective import CrossEntropy
from groundwork.errors import UserError
from tests.fed_pretrain.probes import small


@pytest.fixture(scope="module")
def executor():
    with create(ExecutorOptions(clients_in_flight=1)) as made:
        yield made


def probabilities(x):
    """Softmax regression by hand: design rows with a one for the bias, and their probabilities."""
    kernel, bias = small.weights_of(small.softmax_regression).trainable
    rows = pooled(x)
    logits = rows @ kernel + bias
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.hstack([rows, np.ones((len(x), 1))]), p / p.sum(axis=1, keepdims=True)


def closed_form(x):
    """Mean of (a a') kron (diag p - p p'): the weights' order is kernel row by row, then bias."""
    rows, p = probabilities(x)
    inner = [np.diag(q) - np.outer(q, q) for q in p]
    return np.mean([np.kron(np.outer(a, a), m) for a, m in zip(rows, inner, strict=True)], axis=0)


def test_softmax_regression_has_its_closed_form_hessian_over_uneven_padded_clients(executor):
    x, y = small.digits()
    found = small.operator(executor, small.softmax_regression, x, y)
    np.testing.assert_allclose(small.dense_of(found), closed_form(x), atol=1e-6)
    assert found.scored == sum(small.SIZES.values())


class OneNumber(CrossEntropy):
    """A loss of (y, f(x)) by its formula, for the models whose Hessian textbooks give."""

    def __init__(self, formula):
        super().__init__()
        self._formula = formula

    def statistics(self, y_true, logits):
        counts = tf.cast(y_true >= 0, tf.float32)
        losses = counts * self._formula(tf.cast(y_true, tf.float32), logits[:, 0])
        return {"loss_sum": tf.reduce_sum(losses), "count": tf.reduce_sum(counts)}


def pooled(x):
    return x.reshape(-1, 2, 4, 2, 4).mean(axis=(2, 4)).reshape(len(x), 4).astype(np.float64)


def test_linear_regression_has_the_hessian_of_its_normal_equations(executor):
    x, y = small.digits()
    squared = OneNumber(lambda y, f: 0.5 * tf.square(y - f))
    found = small.operator(executor, small.one_number, x, y, objective=squared)
    rows = pooled(x)
    np.testing.assert_allclose(small.dense_of(found), rows.T @ rows / len(x), atol=1e-6)


def test_logistic_regression_has_its_closed_form_hessian(executor):
    x, y = small.digits()
    even = (y % 2 == 0).astype(np.int32)
    logistic = OneNumber(lambda y, f: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=f))
    found = small.operator(executor, small.one_number, x, even, objective=logistic)
    rows, kernel = pooled(x), small.weights_of(small.one_number).trainable[0]
    p = 1 / (1 + np.exp(-(rows @ kernel)[:, 0]))
    expected = rows.T @ (rows * (p * (1 - p))[:, None]) / len(x)
    np.testing.assert_allclose(small.dense_of(found), expected, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 16])
def test_the_micro_batch_changes_no_weight(executor, batch):
    x, y = small.digits()
    found = small.operator(executor, small.softmax_regression, x, y, batch=batch)
    vector = np.random.default_rng(0).standard_normal(found.size)
    np.testing.assert_allclose(found.matvec(vector), closed_form(x) @ vector, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "data"),
    [
        (small.conv_and_group_norm, small.digits),
        (small.depthwise_and_pooling, small.digits),
        pytest.param(small.lstm_on_characters, small.text, marks=pytest.mark.slow),
        (small.attention_on_tokens, small.text),
    ],
)
def test_products_equal_the_full_autograd_hessian(executor, build, data):
    x, y = data()
    found = small.operator(executor, build, x, y)
    expected = small.autograd_hessian(build, x, y)
    vectors = np.random.default_rng(1).standard_normal((3, found.size))
    for vector in vectors:
        np.testing.assert_allclose(
            found.matvec(vector), expected @ vector, atol=2e-5 * np.abs(expected).max() * 10
        )
    assert found.scored == np.sum(y >= 0)
    top = lanczos.eigenpairs(found, tolerance=1e-4).pairs[0].value
    assert top == pytest.approx(np.linalg.eigvalsh((expected + expected.T) / 2)[-1], rel=1e-3)


def test_products_equal_the_finite_difference_of_gradients(executor):
    x, y = small.digits()
    build = small.conv_and_group_norm
    found = small.operator(executor, build, x, y)
    direction = np.random.default_rng(2).standard_normal(found.size)
    model, weights = build(), small.weights_of(build).trainable

    def gradient(step):
        position = 0
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            part = direction[position : position + value.size].reshape(value.shape)
            variable.assign(value + step * part)
            position += value.size
        with tf.GradientTape() as tape:
            loss = small.CrossEntropy().loss(tf.constant(y), model(x, training=False))
        parts = tape.gradient(loss, model.trainable_variables)
        return np.concatenate([np.reshape(p, -1) for p in parts]).astype(np.float64)

    step = 3e-3
    expected = (gradient(step) - gradient(-step)) / (2 * step)
    error = np.linalg.norm(found.matvec(direction) - expected) / np.linalg.norm(expected)
    assert error < 1e-3


def test_of_softmax_regression_gauss_newton_is_the_hessian(executor):
    x, y = small.digits()
    found = small.operator(executor, small.softmax_regression, x, y, "gauss_newton")
    np.testing.assert_allclose(small.dense_of(found), closed_form(x), atol=1e-6)


def test_the_fisher_is_the_mean_outer_product_of_the_examples_gradients(executor):
    x, y = small.digits()
    found = small.operator(executor, small.softmax_regression, x, y, "fisher")
    rows, p = probabilities(x)
    errors = p - np.eye(10)[y]
    gradients = np.einsum("na,nc->nac", rows, errors).reshape(len(x), -1)
    expected = gradients.T @ gradients / len(x)
    np.testing.assert_allclose(small.dense_of(found), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["gauss_newton", "fisher"])
def test_gauss_newton_and_fisher_have_no_negative_curvature(executor, kind):
    x, y = small.text()
    matrix = small.dense_of(small.operator(executor, small.attention_on_tokens, x, y, kind))
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5 * np.abs(matrix).max())
    assert np.linalg.eigvalsh((matrix + matrix.T) / 2)[0] > -1e-5 * np.abs(matrix).max()


def test_one_and_three_clients_in_flight_give_the_same_bits(executor):
    x, y = small.digits()
    build = small.conv_and_group_norm
    one = lanczos.eigenpairs(small.operator(executor, build, x, y), max_iterations=6)
    with create(ExecutorOptions(clients_in_flight=3)) as wide:
        three = lanczos.eigenpairs(small.operator(wide, build, x, y), max_iterations=6)
    assert one.pairs[0].value == three.pairs[0].value
    np.testing.assert_array_equal(one.pairs[0].vector, three.pairs[0].vector)


def batch_normalised(trainable):
    image = tf.keras.Input([8, 8, 1])
    norm = tf.keras.layers.BatchNormalization(name="norm", trainable=trainable)
    return tf.keras.Model(image, norm(image))


def test_batch_norm_on_batch_statistics_is_refused_and_frozen_is_not():
    with pytest.raises(UserError, match=r"norm.*BatchNorm"):
        check_model(batch_normalised(True))
    check_model(batch_normalised(False))


def test_weights_of_a_diverged_model_are_said_to_have_no_curvature(executor):
    x, y = small.digits()
    found = small.operator(executor, small.softmax_regression, np.full_like(x, np.inf), y)
    with pytest.raises(NotFinite, match="the loss of these weights is nan"):
        lanczos.eigenpairs(found)


def test_examples_without_a_scored_position_are_refused(executor):
    x, y = small.digits()
    found = small.operator(executor, small.softmax_regression, x, np.full_like(y, -1))
    with pytest.raises(UserError, match="no scored position"):
        found.matvec(np.ones(found.size))
