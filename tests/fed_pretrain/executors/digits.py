"""Real digits of five uneven clients and a small convolutional network, for every test here."""

import collections
import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm import Algorithm
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients import uneven_work
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload, spec_of
from fed_pretrain.executors.executor import ClientInput, Executor
from fed_pretrain.models.dropout import KeyedDropout
from fed_pretrain.tasks.objective import CrossEntropy, keras_loss
from groundwork import embedded_packages

BATCH = 8
OBJECTIVE = CrossEntropy()
SIZES = {"ada": 20, "ben": 33, "cy": 9, "dot": 26, "eve": 17}
PAYLOAD = spec_of(tf.TensorSpec([None, 8, 8, 1], tf.uint8), tf.TensorSpec([None], tf.int32), BATCH)
UPDATES: dict[str, dict[str, Any]] = {
    "fedavg": {},
    "fedprox": {"client_update": "proximal", "proximal_strength": 0.1},
    "fednova": {"client_update": "nova"},
    "nova authors": {"client_update": "nova_authors"},
    "mimelite": {"client_update": "mimelite", "server_momentum": 0.9},
    "mime": {"client_update": "mime", "server_momentum": 0.9},
    "scaffold": {"client_update": "scaffold"},
    "feddyn": {"client_update": "feddyn"},
    "gd": {"client_update": "gd"},
    "fedsgd": {"client_update": "fedsgd"},
}
"""Every client update, as the executors are compared by it."""
OTHERS: dict[str, dict[str, Any]] = {
    "fedadam": {"server_optimizer": "adam", "server_learning_rate": 0.01, "server_epsilon": 1e-3},
    "momentum and clipping": {"client_momentum": 0.9, "client_clip_norm": 1.0},
    "late": {"late_rounds": 2},
    "quantised": {"compression": "quantize", "weighting": "uniform"},
    "secure": {"secure_aggregation": True},
    "private": {"dp_noise_multiplier": 0.5, "dp_clip_norm": 0.3, "weighting": "uniform"},
    "correlated noise": {
        "dp_noise_multiplier": 0.5,
        "dp_clip_norm": 0.3,
        "weighting": "uniform",
        "sampling": "all",
        "dp_noise": "correlated",
        "dp_restart_rounds": 2,
    },
}


@functools.cache
def all_digits() -> tuple[np.ndarray, np.ndarray]:
    table = np.loadtxt(
        embedded_packages.path("digits"), delimiter=",", max_rows=sum(SIZES.values())
    )
    images = (table[:, :64] * 15).astype(np.uint8).reshape(-1, 8, 8, 1)
    return images, table[:, 64].astype(np.int32)


def payload(client_id: str, round_number: int) -> Any:
    """Picklable by name, so that it can be read on a Beam worker."""
    start = 0
    for name, size in SIZES.items():
        if name == client_id:
            break
        start += size
    images, labels = all_digits()
    rows = slice(start, start + SIZES[client_id])
    work = LocalWork(BATCH, epochs=1)
    return make_payload(images[rows], labels[rows], work, 3, round_number, client_id)


def clients(
    round_number: int, states: Any = None, initial: Any = None, late_rounds: int = 0
) -> list[ClientInput]:
    """With `late_rounds` the first client is that much late, as soon as it can be."""
    states = states or {}
    made = []
    for position, name in enumerate(SIZES):
        lag = min(late_rounds, round_number - 1) if position == 0 else 0
        read = functools.partial(payload, name, round_number - lag)
        if late_rounds:
            read = uneven_work.late_read(read, lag)
        made.append(ClientInput(name, read, states.get(name, initial)))
    return made


def build_model(dropout: float = 0.0) -> tf.keras.Model:
    layers = tf.keras.layers
    image = tf.keras.Input([8, 8, 1], dtype=tf.uint8)
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    x = KeyedDropout(dropout, name="drop")(layers.Flatten()(x))
    return tf.keras.Model(image, layers.Dense(10, name="head")(x))


def model_fn(dropout: float = 0.0) -> Any:
    spec = collections.OrderedDict(x=PAYLOAD["x"], y=PAYLOAD["y"])
    return tff.learning.models.from_keras_model(
        build_model(dropout), loss=keras_loss(OBJECTIVE), input_spec=spec, metrics=[]
    )


@functools.cache
def algorithm(dropout: float = 0.0, **settings: Any) -> Algorithm:
    defaults = {
        "population": len(SIZES),
        "population_rows": sum(SIZES.values()),
        "clients_per_round": len(SIZES),
        "alignment": "none",
    }
    config = ResolvedAlgorithm(**(defaults | settings))
    spec = uneven_work.late_payload_spec(PAYLOAD) if config.late_rounds else PAYLOAD
    return compose.build(config, functools.partial(model_fn, dropout), spec, OBJECTIVE)


def start_weights() -> list[np.ndarray]:
    generator = np.random.default_rng(5)
    shapes = [(3, 3, 1, 4), (4,), (144, 10), (10,)]
    return [(0.2 * generator.normal(size=shape)).astype(np.float32) for shape in shapes]


def drawn(made: Algorithm, state: Any, seed: int) -> Any:
    """`state` with weights by Glorot, the same in every process.

    Weights that Keras draws differ from process to process, and about one start in 25 of a
    network as large as emnist_cnn has a ReLU or a maximum so near its other side that
    rounding moves an update by percents.
    """
    generator = np.random.default_rng(seed)

    def weight(old: Any) -> Any:
        if np.ndim(old) == 1:
            return old  # Biases and scales are constants.
        *window, ins, outs = np.shape(old)
        limit = np.sqrt(6 / (np.prod(window) * (ins + outs)))
        return generator.uniform(-limit, limit, np.shape(old)).astype(np.float32)

    old = made.process.get_model_weights(state)
    weights = tff.learning.models.ModelWeights(
        [weight(one) for one in old.trainable], list(old.non_trainable)
    )
    return made.process.set_model_weights(state, weights)


@dataclasses.dataclass
class Finished:
    weights: list[np.ndarray]
    state: Any
    metrics: Any
    client_states: dict[str, Any]


def start(executor: Executor, made: Algorithm) -> Any:
    first = executor.initialize(made.process)
    weights = tff.learning.models.ModelWeights(start_weights(), [])
    return first._replace(global_model_weights=weights)


def train(executor: Executor, made: Algorithm, rounds: int = 3) -> Finished:
    state, states = start(executor, made), {}
    for number in range(1, rounds + 1):
        first = made.initial_client_state()
        inputs = clients(number, states, first, made.config.late_rounds)
        if made.first_pass is not None:
            state = made.first_pass.run(executor, state, inputs)
        output = executor.run_round(made, state, inputs)
        state = output.state
        states.update(output.client_states)
    weights = [np.asarray(w) for w in state.global_model_weights.trainable]
    return Finished(weights, state, output.metrics, states)


def difference(first: Any, second: Any) -> float:
    """The largest absolute difference between two equal nests of arrays."""
    pairs = zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True)
    return max(
        (float(np.max(np.abs(np.asarray(a, float) - np.asarray(b, float)))) for a, b in pairs),
        default=0.0,
    )
