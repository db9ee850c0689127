"""The LSTM that clients train by on CPUs, against Keras' own."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.algorithms.client_updates.local_optimizers import LocalSettings
from fed_pretrain.algorithms.client_updates.local_training import LocalTraining
from fed_pretrain.models import lstm_loop, recurrent
from tests.fed_pretrain.algorithms import toy


def pair(dtype="float64"):
    """Keras' layer and ours with the same weights, away from their first values."""
    made = []
    for wanted in (False, True):
        with lstm_loop.differentiated_once(wanted):
            made.append(recurrent.lstm(3, "rnn", dtype=dtype))
        made[-1].build((None, None, 2))
    theirs, ours = made
    random = np.random.default_rng(0)
    drawn = [random.normal(size=weight.shape) for weight in theirs.weights]
    for layer in made:
        layer.set_weights(drawn)
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    return theirs, ours


def states_and_gradients(layer, x, weigh):
    with tf.GradientTape() as tape:
        tape.watch(x)
        states = layer(x)
        loss = tf.reduce_sum(weigh * states)
    return [states, *tape.gradient(loss, [x, *layer.trainable_variables])]


def test_states_and_gradients_are_those_of_keras():
    random = np.random.default_rng(1)
    x, weigh = tf.constant(random.normal(size=(4, 5, 2))), random.normal(size=(4, 5, 3))
    expected, found = (states_and_gradients(layer, x, weigh) for layer in pair())
    assert type(pair()[1]) is lstm_loop.LSTM
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_second_derivative_is_refused():
    layer, x = pair()[1], tf.ones([1, 2, 2], tf.float64)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = tf.reduce_sum(layer(x))
        slope = inner.gradient(loss, x)
    with pytest.raises(LookupError, match="differentiated once"):
        outer.gradient(slope, x)


@pytest.mark.parametrize("fixed_shapes", [True, False])
def test_clients_train_by_it_where_shapes_are_not_fixed(fixed_shapes):
    seen = []

    def model_fn():
        seen.append(lstm_loop.wanted())
        return toy.model_fn()

    LocalTraining(model_fn, None, LocalSettings(), fixed_shapes=fixed_shapes)
    assert seen == [not fixed_shapes]
