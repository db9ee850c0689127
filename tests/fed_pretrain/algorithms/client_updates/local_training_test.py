"""Which dropout key each gradient of a client's round is taken under."""

import functools
from types import SimpleNamespace

import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.client_updates import local_training
from fed_pretrain.algorithms.client_updates.local_training import LocalSettings, LocalTraining
from tests.fed_pretrain.algorithms.toy import OBJECTIVE, model_fn, payload, start_weights


def test_an_anchor_shares_its_steps_dropout_key_and_the_full_gradient_has_its_own(
    monkeypatch,
) -> None:
    used: list[int] = []
    step_key = local_training.dropout.step_key

    def recorded(key: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        used.append(int(index))
        return step_key(key, index)

    monkeypatch.setattr(local_training.dropout, "step_key", recorded)
    model = functools.partial(model_fn, 0.5)
    training = LocalTraining(model, OBJECTIVE, LocalSettings(), anchored=True)
    weights = tff.learning.models.ModelWeights([tf.constant(w) for w in start_weights()], [])
    arrays = {name: tf.constant(value) for name, value in payload("a", 1).items()}
    training.prepare(weights, arrays, tf.constant([0.1, 0.1]))
    training.full_gradient()
    whole, anchors = set(used), []
    used.clear()

    def step(gradients: object, index: tf.Tensor) -> None:
        del used[-1:]
        training.anchor_gradients(index)
        anchors.append((int(index), used.pop()))

    training.loop(step)
    assert anchors == [(index, index) for index in range(int(training.steps))]
    assert len(anchors) == 4
    assert not whole & {index for index, _ in anchors}


@pytest.mark.parametrize(
    ("objective", "called"), [(None, "forward_pass"), (OBJECTIVE, "predict_on_batch")]
)
def test_a_model_is_trained_in_training_mode(monkeypatch, objective, called) -> None:
    """Dropout and batch normalisation act, whoever computes the loss."""
    modes: list[bool] = []
    model = model_fn(0.5)
    forward = getattr(model, called).python_function

    def recorded(batch: object, training: bool = True) -> object:
        modes.append(training)
        return forward(batch, training=training)

    monkeypatch.setattr(model, called, SimpleNamespace(python_function=recorded))
    training = LocalTraining(lambda: model, objective, LocalSettings())
    weights = tff.learning.models.ModelWeights([tf.constant(w) for w in start_weights()], [])
    arrays = {name: tf.constant(value) for name, value in payload("a", 1).items()}
    training.prepare(weights, arrays, tf.constant([0.1, 0.1]))
    training.full_gradient()
    assert modes
    assert all(modes)


def test_a_steps_loss_is_computed_once_for_its_gradient_and_its_statistics() -> None:
    with tf.Graph().as_default() as graph:
        training = LocalTraining(model_fn, OBJECTIVE, LocalSettings())
        weights = tff.learning.models.ModelWeights([tf.constant(w) for w in start_weights()], [])
        arrays = {name: tf.constant(value) for name, value in payload("a", 1).items()}
        training.prepare(weights, arrays, tf.constant([0.1, 0.1]))
        training.gradients(training.payload, tf.constant(0), tf.constant(0))
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("SparseSoftmaxCrossEntropyWithLogits") == 1
