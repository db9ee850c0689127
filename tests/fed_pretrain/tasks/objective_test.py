"""Masks: what does not count must change nothing."""

import math

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.tasks.objective import CrossEntropy, keras_loss

LOGITS = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)
LABELS = np.array([[1, 2, 3], [4, 0, 1], [2, 2, 2], [3, 4, 4]], np.int32)


def in_numpy(labels, logits):
    """Sums over the positions whose label is not -1, written plainly."""
    loss = correct = count = 0.0
    for label, scores in zip(labels.ravel(), logits.reshape(-1, logits.shape[-1]), strict=True):
        if label < 0:
            continue
        loss += math.log(np.exp(scores.astype(np.float64)).sum()) - float(scores[label])
        correct += float(np.argmax(scores) == label)
        count += 1
    return loss, correct, count


def test_sums_equal_a_plain_loop_over_the_positions():
    labels = LABELS.copy()
    labels[1, 2] = labels[3, 0] = -1
    sums = CrossEntropy().statistics(tf.constant(labels), tf.constant(LOGITS))
    loss, correct, count = in_numpy(labels, LOGITS)
    np.testing.assert_allclose(float(sums["loss_sum"]), loss, rtol=1e-5)
    assert (float(sums["correct"]), float(sums["count"])) == (correct, count)
    assert float(sums["scored"]) == count
    mean = CrossEntropy().loss(tf.constant(labels), tf.constant(LOGITS))
    np.testing.assert_allclose(float(mean), loss / count, rtol=1e-5)


def test_padded_rows_change_neither_the_loss_nor_its_gradient():
    weights = tf.constant(np.random.default_rng(1).normal(size=(5, 5)).astype(np.float32))

    def loss_and_gradient(labels, inputs):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = CrossEntropy().loss(tf.constant(labels), tf.constant(inputs) @ weights)
        return loss.numpy(), tape.gradient(loss, weights).numpy()

    alone = loss_and_gradient(LABELS[:2], LOGITS[:2])
    padded = LABELS.copy()
    padded[2:] = -1
    among = loss_and_gradient(padded, LOGITS)
    np.testing.assert_allclose(alone[0], among[0], rtol=1e-6)
    np.testing.assert_allclose(alone[1], among[1], rtol=1e-5, atol=1e-7)


def test_a_non_finite_logit_of_a_padded_row_does_not_leak():
    logits = LOGITS.copy()
    logits[2:] = np.inf
    labels = LABELS.copy()
    labels[2:] = -1
    sums = CrossEntropy().statistics(tf.constant(labels), tf.constant(logits))
    np.testing.assert_allclose(float(sums["loss_sum"]), in_numpy(labels, logits)[0], rtol=1e-5)


def test_nothing_to_count_gives_a_loss_of_zero_and_figures_of_nan():
    labels = np.full_like(LABELS, -1)
    assert float(CrossEntropy().loss(tf.constant(labels), tf.constant(LOGITS))) == 0
    sums = CrossEntropy().statistics(tf.constant(labels), tf.constant(LOGITS))
    figures = CrossEntropy(perplexity=True).summarise(sums)
    assert all(math.isnan(value) for value in figures.values())


def test_unscored_labels_count_in_the_loss_but_not_in_the_accuracy():
    objective = CrossEntropy(unscored=(2, 4), perplexity=True)
    sums = objective.statistics(tf.constant(LABELS), tf.constant(LOGITS))
    kept = np.where(np.isin(LABELS, (2, 4)), -1, LABELS)
    _, correct, scored = in_numpy(kept, LOGITS)
    assert (float(sums["correct"]), float(sums["scored"])) == (correct, scored)
    assert float(sums["count"]) == LABELS.size
    figures = objective.summarise(sums)
    assert figures["accuracy"] == correct / scored
    assert figures["perplexity"] == pytest.approx(math.exp(figures["loss"]))


def test_the_perplexity_of_a_diverged_model_is_infinite():
    sums = {"loss_sum": 1e6, "count": 1, "correct": 0, "scored": 1}
    assert CrossEntropy(perplexity=True).summarise(sums)["perplexity"] == math.inf


def test_keras_takes_the_objective_as_a_loss_unchanged():
    loss = keras_loss(CrossEntropy())(tf.constant(LABELS), tf.constant(LOGITS))
    np.testing.assert_allclose(float(loss), float(CrossEntropy().loss(LABELS, LOGITS)), rtol=1e-6)
