"""Against NumPy and scikit-learn, and what does not count changes nothing."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

from fed_pretrain.tasks.further_objectives import BinaryCrossEntropy, SquaredError, WithOwnLoss
from fed_pretrain.tasks.objective import CrossEntropy

DRAWN = np.random.default_rng(0)
OUTPUTS = DRAWN.normal(size=(6, 2)).astype(np.float32)
MEASURED = DRAWN.normal(loc=3.0, size=(6, 2)).astype(np.float32)
LABELS = DRAWN.integers(0, 2, (6, 2)).astype(np.int32)


def figures(objective, y, outputs):
    sums = objective.statistics(tf.constant(y), tf.constant(outputs))
    found = objective.summarise({name: float(value) for name, value in sums.items()})
    mean = float(objective.loss(tf.constant(y), tf.constant(outputs)))
    assert mean == pytest.approx(found["loss"], rel=1e-5)
    return found


def test_squared_error_and_variance_explained_are_scikit_learns():
    centre = tuple(map(float, MEASURED.mean(axis=0)))
    found = figures(SquaredError(centre), MEASURED, OUTPUTS)
    assert found["loss"] == pytest.approx(metrics.mean_squared_error(MEASURED, OUTPUTS), rel=1e-5)
    r2 = metrics.r2_score(MEASURED, OUTPUTS, multioutput="variance_weighted")
    assert found["accuracy"] == pytest.approx(r2, rel=1e-5)
    always_the_mean = np.broadcast_to(MEASURED.mean(axis=0), MEASURED.shape)
    assert figures(SquaredError(centre), MEASURED, always_the_mean)["accuracy"] == pytest.approx(
        0.0, abs=1e-6
    )


def test_binary_cross_entropy_is_scikit_learns():
    found = figures(BinaryCrossEntropy(), LABELS, OUTPUTS)
    chances = 1 / (1 + np.exp(-OUTPUTS.astype(np.float64)))
    loss = metrics.log_loss(LABELS.ravel(), chances.ravel())
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    assert found["accuracy"] == pytest.approx(np.mean((OUTPUTS > 0) == LABELS))


def test_ones_own_loss_replaces_the_loss_and_not_the_accuracy():
    y, outputs = LABELS[:, 0], OUTPUTS
    own = WithOwnLoss(lambda y, z: tf.square(tf.cast(y, tf.float32) - z[:, 1]), CrossEntropy())
    found = figures(own, y, outputs)
    assert found["loss"] == pytest.approx(np.mean((y - outputs[:, 1]) ** 2), rel=1e-5)
    assert found["accuracy"] == pytest.approx(np.mean(np.argmax(outputs, 1) == y))


@pytest.mark.parametrize(
    ("objective", "y", "nothing"),
    [
        (SquaredError((3.0, 3.0)), MEASURED, np.nan),
        (BinaryCrossEntropy(), LABELS, -1),
        (WithOwnLoss(lambda y, z: tf.reduce_sum(z**2, 1), CrossEntropy()), LABELS[:, 0], -1),
    ],
)
def test_padding_changes_neither_the_sums_nor_the_gradient(objective, y, nothing):
    padded_y = np.concatenate([y, np.full_like(y[:2], nothing)])
    padded = np.concatenate([OUTPUTS, np.full_like(OUTPUTS[:2], np.inf)])
    assert figures(objective, padded_y, padded) == pytest.approx(figures(objective, y, OUTPUTS))
    outputs = tf.Variable(np.concatenate([OUTPUTS, OUTPUTS[:2]]))
    with tf.GradientTape() as tape:
        loss = objective.loss(tf.constant(padded_y), outputs)
    gradient = tape.gradient(loss, outputs).numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[6:].any()
    assert gradient[:6].any()
