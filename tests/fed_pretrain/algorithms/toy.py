"""Three clients of unequal size on softmax regression, and the same algorithms in NumPy float64."""

import collections
import functools
import operator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm import Algorithm
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload, spec_of
from fed_pretrain.executors.executor import ClientInput, Executor
from fed_pretrain.models.dropout import KeyedDropout
from fed_pretrain.tasks.objective import CrossEntropy, keras_loss

FEATURES, CLASSES, BATCH, POPULATION = 5, 3, 4, 6
OBJECTIVE = CrossEntropy()
SIZES = {"a": 5, "b": 9, "c": 3, "d": 6}
ROWS = sum(SIZES.values()) + 2
"""Two more clients, of a row each, take no part in the rounds."""
COHORTS = (("a", "b", "c"), ("b", "d", "a"))
"""The cohorts of two rounds; clients come back, so client state matters."""

Weights = list[np.ndarray]


def rows(client_id: str) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(ord(client_id))
    size = SIZES[client_id]
    x = generator.normal(size=(size, FEATURES)).astype(np.float32)
    return x, generator.integers(0, CLASSES, size).astype(np.int32)


def start_weights() -> Weights:
    generator = np.random.default_rng(7)
    kernel = 0.3 * generator.normal(size=(FEATURES, CLASSES))
    return [kernel.astype(np.float32), 0.1 * np.ones(CLASSES, np.float32)]


def work(client_id: str) -> LocalWork:
    """Unequal epochs as well as unequal sizes."""
    return LocalWork(BATCH, epochs={"a": 2, "b": 1, "c": 3, "d": 1}[client_id])


def payload(client_id: str, round_number: int) -> Any:
    return make_payload(*rows(client_id), work(client_id), 0, round_number, client_id)


def build_model(dropout: float = 0.0) -> tf.keras.Model:
    inputs = tf.keras.Input([FEATURES])
    kept = KeyedDropout(dropout)(inputs) if dropout else inputs
    return tf.keras.Model(inputs, tf.keras.layers.Dense(CLASSES, name="head")(kept))


def model_fn(dropout: float = 0.0) -> Any:
    spec = collections.OrderedDict(
        x=tf.TensorSpec([None, FEATURES]), y=tf.TensorSpec([None], tf.int32)
    )
    return tff.learning.models.from_keras_model(
        build_model(dropout), loss=keras_loss(OBJECTIVE), input_spec=spec, metrics=[]
    )


def payload_spec() -> Any:
    return spec_of(tf.TensorSpec([None, FEATURES]), tf.TensorSpec([None], tf.int32), BATCH)


def build(
    config: ResolvedAlgorithm,
    dropout: float = 0.0,
    head: tuple[int, ...] = (),
    personal: tuple[int, ...] = (),
    fixed_shapes: bool = True,
) -> Algorithm:
    make = functools.partial(model_fn, dropout)
    return compose.build(
        config,
        make,
        payload_spec(),
        OBJECTIVE,
        head=head,
        personal=personal,
        fixed_shapes=fixed_shapes,
    )


class Run:
    """An algorithm's rounds by an executor, from the toy's start."""

    def __init__(self, algorithm: Algorithm, executor: Executor) -> None:
        self.algorithm = algorithm
        self.executor = executor
        first = executor.initialize(algorithm.process)
        weights = tff.learning.models.ModelWeights(start_weights(), [])
        self.state = first._replace(global_model_weights=weights)
        self.client_states: dict[str, Any] = {}
        self.metrics: list[Any] = []

    def round(self, clients: tuple[str, ...], round_number: int, payloads: Any = None) -> Any:
        payloads = payloads or {c: payload(c, round_number) for c in clients}
        inputs = [
            ClientInput(
                c,
                functools.partial(operator.getitem, payloads, c),
                self.client_states.get(c, self.algorithm.initial_client_state()),
            )
            for c in clients
        ]
        if self.algorithm.first_pass is not None:
            self.state = self.algorithm.first_pass.run(self.executor, self.state, inputs)
        output = self.executor.run_round(self.algorithm, self.state, inputs)
        self.state = output.state
        self.client_states.update(output.client_states)
        self.metrics.append(output.metrics)
        return output

    def two_rounds(self) -> Weights:
        for number, clients in enumerate(COHORTS, 1):
            self.round(clients, number)
        return self.weights

    @property
    def weights(self) -> Weights:
        return [np.asarray(w) for w in self.state.global_model_weights.trainable]


def gradient(weights: Weights, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the mean softmax cross-entropy, flat and float64."""
    logits = x.astype(np.float64) @ weights[0] + weights[1]
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    shares[np.arange(len(y)), y] -= 1
    return flat([x.T.astype(np.float64) @ shares / len(y), shares.mean(0)])


def flat(weights: Weights) -> np.ndarray:
    return np.concatenate([np.asarray(w, np.float64).ravel() for w in weights])


def shaped(vector: np.ndarray) -> Weights:
    return [vector[: FEATURES * CLASSES].reshape(FEATURES, CLASSES), vector[FEATURES * CLASSES :]]


def grad(vector: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return gradient(shaped(vector), x, y)


def batches(client_id: str, round_number: int) -> list[tuple[np.ndarray, np.ndarray]]:
    x, y = rows(client_id)
    order = payload(client_id, round_number)["order"]
    return [(x[step[step >= 0]], y[step[step >= 0]]) for step in order]
