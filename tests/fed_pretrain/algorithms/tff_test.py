"""Our processes beside TFF's own on the same batches (slow: TFF's worker runs them).

Every client has a multiple of the batch size and one epoch, since TFF weighs a client by the
examples of all its epochs and we by its rows.
"""

import collections

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload
from tests.fed_pretrain.algorithms.toy import (
    BATCH,
    CLASSES,
    COHORTS,
    FEATURES,
    Run,
    build,
    flat,
    model_fn,
    start_weights,
)

pytestmark = pytest.mark.slow
ROWS = {"a": 8, "b": 4, "c": 12, "d": 4}
SGD = tff.learning.optimizers.build_sgdm
LOOP = tff.learning.LoopImplementation.DATASET_ITERATOR


def payload(client: str, number: int):
    generator = np.random.default_rng(ord(client))
    x = generator.normal(size=(ROWS[client], FEATURES)).astype(np.float32)
    y = generator.integers(0, CLASSES, ROWS[client]).astype(np.int32)
    return make_payload(x, y, LocalWork(BATCH), 0, number, client)


def ours(finished, executor, **settings) -> np.ndarray:
    run = Run(finished(**settings).algorithm, executor)
    for number, clients in enumerate(COHORTS, 1):
        run.round(clients, number, {c: payload(c, number) for c in clients})
    return flat(run.weights)


def theirs(process) -> np.ndarray:
    weights = tff.learning.models.ModelWeights(start_weights(), [])
    state = process.set_model_weights(process.initialize(), weights)
    for number, clients in enumerate(COHORTS, 1):
        state = process.next(state, [_dataset(payload(c, number)) for c in clients]).state
    return flat(process.get_model_weights(state).trainable)


def _dataset(one) -> tf.data.Dataset:
    rows = one["order"].ravel()
    stacked = collections.OrderedDict(x=one["x"][rows], y=one["y"][rows])
    return tf.data.Dataset.from_tensor_slices(stacked).batch(BATCH)


def test_fedavg_with_momentum_and_fedadam_are_tffs(finished, executor) -> None:
    build = tff.learning.algorithms.build_weighted_fed_avg
    momentum = build(model_fn, SGD(0.1), SGD(1.0, 0.9), loop_implementation=LOOP)
    assert np.abs(theirs(momentum) - ours(finished, executor, server_momentum=0.9)).max() < 1e-6
    adam = tff.learning.optimizers.build_adam(0.05, 0.9, 0.999, 1e-3)
    found = ours(
        finished,
        executor,
        server_optimizer="adam",
        server_learning_rate=0.05,
        server_epsilon=1e-3,
    )
    assert (
        np.abs(theirs(build(model_fn, SGD(0.1), adam, loop_implementation=LOOP)) - found).max()
        < 1e-5
    )


def test_tffs_fedprox_pushes_away_from_the_received_weights(finished, executor) -> None:
    """TFF 0.87 adds mu (x - y) to the gradient of f, the paper's term with its sign turned.

    So TFF's FedProx is ours with -mu; ours is held against NumPy in client_updates_test.
    """
    process = tff.learning.algorithms.build_weighted_fed_prox(
        model_fn, 0.5, SGD(0.1), SGD(1.0), loop_implementation=LOOP
    )
    found = theirs(process)
    turned = ResolvedAlgorithm(client_update="proximal", alignment="none")
    object.__setattr__(turned, "proximal_strength", -0.5)
    run = Run(build(turned), executor)
    for number, clients in enumerate(COHORTS, 1):
        run.round(clients, number, {c: payload(c, number) for c in clients})
    assert np.abs(found - flat(run.weights)).max() < 1e-6


def test_mimelite_is_tffs(finished, executor) -> None:
    process = tff.learning.algorithms.build_weighted_mime_lite(
        model_fn, SGD(0.1, 0.8), SGD(1.0), loop_implementation=LOOP
    )
    found = ours(finished, executor, client_update="mimelite", server_momentum=0.8)
    assert np.abs(theirs(process) - found).max() < 1e-6
