"""Moving statistics of BatchNorm: averaged when asked for, untouched otherwise."""

import collections

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.tasks.objective import keras_loss
from groundwork.errors import UserError
from tests.fed_pretrain.algorithms.toy import (
    CLASSES,
    FEATURES,
    OBJECTIVE,
    SIZES,
    batches,
    payload,
    payload_spec,
)

MOMENTUM = 0.9
CLIENTS = ("a", "b", "c")


def model_fn():
    inputs = tf.keras.Input([FEATURES])
    hidden = tf.keras.layers.BatchNormalization(momentum=MOMENTUM)(inputs)
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(CLASSES)(hidden))
    spec = collections.OrderedDict(
        x=tf.TensorSpec([None, FEATURES]), y=tf.TensorSpec([None], tf.int32)
    )
    return tff.learning.models.from_keras_model(
        model, loss=keras_loss(OBJECTIVE), input_spec=spec, metrics=[]
    )


def full_batches(client: str) -> dict:
    """Steps with padded rows would normalise by the padding too: only whole batches here."""
    one = payload(client, 1)
    one["order"] = one["order"][(one["order"] >= 0).all(axis=1)]
    return one


def one_round(executor, averaged) -> list[np.ndarray]:
    config = ResolvedAlgorithm(alignment="whole", client_update="nova")
    algorithm = compose.build(config, model_fn, payload_spec(), OBJECTIVE, averaged=averaged)
    state = executor.initialize(algorithm.process)
    clients = [
        ClientInput(c, lambda c=c: full_batches(c), algorithm.initial_client_state())
        for c in CLIENTS
        if len(full_batches(c)["order"])
    ]
    state = executor.run_round(algorithm, state, clients).state
    return [np.asarray(w) for w in state.global_model_weights.non_trainable]


def test_averaged_statistics_are_the_weighted_mean_of_the_clients(executor) -> None:
    moving, weights = [], []
    for client in CLIENTS:
        mean = np.zeros(FEATURES)
        whole = [x for x, _ in batches(client, 1) if len(x) == 4]
        for x in whole:
            mean = MOMENTUM * mean + (1 - MOMENTUM) * x.mean(0)
        if whole:
            moving.append(mean)
            weights.append(SIZES[client])
    expected = np.average(moving, axis=0, weights=weights)
    found = one_round(executor, (0, 1))
    assert np.abs(found[0] - expected).max() < 1e-6
    assert np.abs(found[1] - 1).max() > 1e-3


@pytest.mark.slow
def test_without_averaging_they_stay(executor) -> None:
    mean, variance = one_round(executor, ())
    assert not mean.any()
    assert (variance == 1).all()


def test_private_statistics_are_refused() -> None:
    config = ResolvedAlgorithm(
        dp_noise_multiplier=1.0,
        weighting="uniform",
        alignment="none",
        clients_per_round=3,
        population=9,
    )
    with pytest.raises(UserError, match="bn_statistics"):
        compose.build(config, model_fn, payload_spec(), OBJECTIVE, averaged=(0, 1))
