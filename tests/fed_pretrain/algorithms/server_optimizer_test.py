"""Server optimizers, two steps each, against one sheet of formulas in NumPy."""

import collections

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import server_optimizer
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from tests.fed_pretrain.algorithms import oracle
from tests.fed_pretrain.algorithms.toy import flat, shaped, start_weights

UPDATES = [np.random.default_rng(i).normal(size=18) * 0.3 for i in range(3)]


def stepped(config: ResolvedAlgorithm) -> np.ndarray:
    optimizer = server_optimizer.scheduled(config)
    weights = [tf.constant(w) for w in start_weights()]
    state = optimizer.initialize([tf.TensorSpec(w.shape, w.dtype) for w in weights])
    for update in UPDATES:
        gradients = [tf.constant(g, tf.float32) for g in shaped(update)]
        state, weights = optimizer.next(state, weights, gradients)
    return flat([w.numpy() for w in weights])


@pytest.mark.parametrize("kind", ["adam", "yogi", "adagrad", "adamw", "lamb", "rmsprop"])
def test_adaptive_servers_follow_their_formulas(kind) -> None:
    decay = 0.1 if kind in ("adamw", "lamb") else 0.0
    config = ResolvedAlgorithm(
        server_optimizer=kind,
        server_learning_rate=0.05,
        server_epsilon=1e-3,
        server_beta2=0.99,
        server_weight_decay=decay,
    )
    expected = flat(start_weights())
    step = oracle.ServerAdaptive(kind, 0.05, 1e-3, decay=decay)
    for update in UPDATES:
        expected = step(expected, update)
    assert np.abs(stepped(config) - expected).max() < 1e-5


@pytest.mark.parametrize("kind", ["adam", "yogi", "adagrad"])
def test_the_papers_servers_follow_its_algorithm_2(kind) -> None:
    tau, rate, b1, b2 = 0.1, 0.05, 0.9, 0.9
    expected, m, v = flat(start_weights()), 0.0, tau**2
    for update in UPDATES:
        square = update**2
        m = b1 * m + (1 - b1) * update
        v = {
            "adagrad": v + square,
            "yogi": v - (1 - b2) * square * np.sign(v - square),
            "adam": b2 * v + (1 - b2) * square,
        }[kind]
        expected = expected - rate * m / (np.sqrt(v) + tau)
    settings = {"server_learning_rate": rate, "server_epsilon": tau, "server_beta2": b2}
    printed = stepped(ResolvedAlgorithm(server_optimizer=f"{kind}_reddi", **settings))
    assert np.abs(printed - expected).max() < 1e-6
    assert (
        np.abs(printed - stepped(ResolvedAlgorithm(server_optimizer=kind, **settings))).max() > 0.01
    )


def test_momentum_accumulates_and_beta_zero_is_sgd() -> None:
    expected = flat(start_weights())
    step = oracle.ServerSgd(0.5, 0.9)
    for update in UPDATES:
        expected = step(expected, update)
    config = ResolvedAlgorithm(server_learning_rate=0.5, server_momentum=0.9)
    assert np.abs(stepped(config) - expected).max() < 1e-5
    plain = flat(start_weights()) - 0.5 * sum(UPDATES)
    assert np.abs(stepped(ResolvedAlgorithm(server_learning_rate=0.5)) - plain).max() < 1e-6


@pytest.mark.parametrize(
    ("update", "rejected"), [([0.0, 0.0], True), ([0.0, np.nan], True), ([0.0, 1e-3], False)]
)
def test_an_update_of_nobody_or_of_no_numbers_moves_no_momentum(update, rejected) -> None:
    optimizer = tff.learning.optimizers.build_sgdm(1.0, 0.9)
    weights_type = tff.to_type(tff.learning.models.ModelWeights([(np.float32, [2])], []))
    finalizer = server_optimizer.build_finalizer(optimizer, weights_type)
    weights = tff.learning.models.ModelWeights([np.ones(2, np.float32)], [])
    moving = finalizer.next(finalizer.initialize(), weights, [np.full(2, 0.5, np.float32)])
    after = finalizer.next(moving.state, moving.result, [np.array(update, np.float32)])
    (before,), (now,) = moving.result.trainable, after.result.trainable
    assert np.array_equal(before, now) == rejected


class _StopsFar(tff.learning.optimizers.Optimizer):
    """Gradient descent, but with an `if` of a tensor: it takes no step of a length above 1."""

    def initialize(self, specs):
        return collections.OrderedDict()

    def next(self, state, weights, gradients):
        if tf.linalg.global_norm(gradients) > 1.0:
            return state, weights
        return state, tf.nest.map_structure(tf.subtract, weights, gradients)


@pytest.mark.parametrize(("update", "moved"), [(0.5, 0.5), (2.0, 0.0)])
def test_an_optimizer_that_needs_autograph_gets_it(update, moved) -> None:
    weights_type = tff.to_type(tff.learning.models.ModelWeights([(np.float32, [1])], []))
    finalizer = server_optimizer.build_finalizer(_StopsFar(), weights_type)
    weights = tff.learning.models.ModelWeights([np.ones(1, np.float32)], [])
    after = finalizer.next(finalizer.initialize(), weights, [np.full(1, update, np.float32)])
    assert after.result.trainable[0] == 1.0 - moved


def test_l2_decay_enters_the_gradient() -> None:
    expected = flat(start_weights())
    step = oracle.ServerAdaptive("adam", 0.05, 1e-3)
    for update in UPDATES:
        expected = step(expected, update + 0.2 * expected)
    config = ResolvedAlgorithm(
        server_optimizer="adam",
        server_learning_rate=0.05,
        server_epsilon=1e-3,
        server_beta2=0.99,
        server_weight_decay=0.2,
    )
    assert np.abs(stepped(config) - expected).max() < 1e-5


def test_the_plain_step_after_clients_that_held_the_optimizer_decays_nothing_again() -> None:
    config = ResolvedAlgorithm(
        server_learning_rate=0.5, server_momentum=0.9, server_weight_decay=0.2
    )
    weights = [tf.constant(w) for w in start_weights()]
    gradients = [tf.constant(g, tf.float32) for g in shaped(UPDATES[0])]
    optimizer = server_optimizer.plain(config)
    state = optimizer.initialize([tf.TensorSpec(w.shape, w.dtype) for w in weights])
    for _ in range(2):
        state, weights = optimizer.next(state, weights, gradients)
    expected = flat(start_weights()) - 2 * 0.5 * UPDATES[0]
    assert np.abs(flat([w.numpy() for w in weights]) - expected).max() < 1e-6


def test_a_schedule_multiplies_each_rounds_rate() -> None:
    config = ResolvedAlgorithm(
        server_learning_rate=0.5, server_schedule="cosine", schedule_rounds=4
    )
    factors = [0.5 * (1 + np.cos(np.pi * r / 4)) for r in range(3)]
    expected = flat(start_weights()) - 0.5 * sum(
        f * u for f, u in zip(factors, UPDATES, strict=True)
    )
    assert np.abs(stepped(config) - expected).max() < 1e-6
