"""The work that all contestants are given: rows by client, first weights, and the right answer.

    python -m benchmarks.peers.cases CASE FILE.npz

The answer is the round in float64 by TensorFlow, one client after another. Rows are synthetic: a
pattern a class under noise, or windows of a text that a Markov chain writes.
"""

import dataclasses
import itertools
import sys
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Case:
    model: str
    clients: int
    examples: int
    """Of each client, on average."""
    lognormal: bool = False
    batch: int = 20
    rate: float = 0.003
    """Larger steps turn more of float32's rounding into ReLUs of another sign."""

    @property
    def title(self) -> str:
        sizes = "log-normal sizes, on average" if self.lognormal else "each with"
        model = MODELS[self.model].title
        return f"{model}, {self.clients} clients, {sizes} {self.examples} rows in {self.batch}s"


@dataclasses.dataclass(frozen=True)
class Model:
    title: str
    classes: int
    shape: tuple[int, ...]

    def spec(self) -> Any:
        """Of a batch: rows and labels."""
        import tensorflow as tf

        kind = tf.uint8 if len(self.shape) == 3 else tf.int32
        return tf.TensorSpec([None, *self.shape], kind), tf.TensorSpec([None], tf.int32)


PERCEPTRON = "perceptron_"
MODELS = {
    "cnn": Model("EMNIST CNN", 62, (28, 28, 1)),
    "resnet18": Model("ResNet18-GN on 24x24 pixels", 100, (24, 24, 3)),
    "char_lstm": Model("character LSTM", 465, (40,)),
}
CASES = {
    "cnn_10": Case("cnn", 10, 100),
    "cnn_50": Case("cnn", 50, 40),
    "cnn_50_lognormal": Case("cnn", 50, 40, lognormal=True),
    "cnn_500": Case("cnn", 500, 10, batch=10, rate=0.03),
    "resnet18_10": Case("resnet18", 10, 10, batch=10),
    "char_lstm_10": Case("char_lstm", 10, 40),
    "smoke": Case("cnn", 2, 30),
}


def model_of(name: str) -> Model:
    """Also of `perceptron_WIDTH`, for the growth with parameters."""
    return MODELS["cnn" if name.startswith(PERCEPTRON) else name]


def clients(case: Case) -> list[tuple[np.ndarray, np.ndarray]]:
    offsets = np.concatenate([[0], np.cumsum(sizes(case))])
    x, y = rows(model_of(case.model), offsets[-1])
    return [(x[a:b], y[a:b]) for a, b in itertools.pairwise(offsets)]


def sizes(case: Case) -> np.ndarray:
    if not case.lognormal:
        return np.full([case.clients], case.examples)
    drawn = np.random.default_rng(0).lognormal(0.0, 1.0, case.clients)
    return np.maximum(1, np.rint(drawn / drawn.mean() * case.examples)).astype(int)


def rows(model: Model, count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(7)
    labels = generator.integers(0, model.classes, count).astype(np.int32)
    if len(model.shape) == 1:
        jumps = generator.integers(-3, 4, [count, *model.shape]).cumsum(axis=1)
        return ((labels[:, None] + jumps) % model.classes).astype(np.int32), labels
    height, width, colours = model.shape
    coarse = generator.random([model.classes, height // 4, width // 4, colours])
    patterns = coarse.repeat(4, axis=1).repeat(4, axis=2)
    noise = generator.random([count, *model.shape])
    return (255 * (0.6 * patterns[labels] + 0.4 * noise)).astype(np.uint8), labels


def build(name: str) -> Any:
    """The Keras model, without dropout; images enter as bytes."""
    import tensorflow as tf

    from fed_pretrain.models import recurrent, resnet, small_cnns

    model, layers = model_of(name), tf.keras.layers
    if name == "char_lstm":
        return recurrent.char_lstm(model.classes)
    image = tf.keras.Input(model.shape, dtype=tf.uint8)
    scaled = layers.Rescaling(1 / 255)(image)
    if name == "cnn":
        return small_cnns.emnist_cnn(model.classes, inputs=scaled, dropout=0.0)
    if name.startswith(PERCEPTRON):
        width = int(name.removeprefix(PERCEPTRON))
        hidden = layers.Dense(width, activation="relu")(layers.Flatten()(scaled))
        return tf.keras.Model(image, layers.Dense(model.classes)(hidden))
    return resnet.build(model.classes, model.shape, scaled, stem="cifar")


def weight_names(model: Any) -> list[str]:
    """LAYER.WEIGHT, without the numbers that Keras gives to cells."""
    paths = [variable.name.partition(":")[0].split("/") for variable in model.trainable_variables]
    return [f"{path[0]}.{path[-1]}" for path in paths]


def right_answer(case: Case, data: list[Any], begin: list[np.ndarray]) -> list[np.ndarray]:
    """The weights after one round, in float64."""
    import tensorflow as tf

    tf.keras.backend.set_floatx("float64")
    model = build(case.model)
    variables = model.trainable_variables
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function(input_signature=MODELS[case.model].spec())
    def step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(case.rate * tf.convert_to_tensor(gradient))

    total = [np.zeros(w.shape) for w in begin]
    for x, y in data:
        for variable, weight in zip(variables, begin, strict=True):
            variable.assign(weight.astype(np.float64))
        for first in range(0, len(y), case.batch):
            step(x[first : first + case.batch], y[first : first + case.batch])
        for part, variable in zip(total, variables, strict=True):
            part += len(y) * variable.numpy()
    return [part / sum(len(y) for _, y in data) for part in total]


def write(case: Case, file: str) -> None:
    import tensorflow as tf

    tf.keras.utils.set_random_seed(1)
    model = build(case.model)
    names, begin = weight_names(model), [v.numpy() for v in model.trainable_variables]
    data = clients(case)
    x, y = (np.concatenate(parts) for parts in zip(*data, strict=True))
    offsets = np.concatenate([[0], np.cumsum(sizes(case))])
    answer = right_answer(case, data, begin)
    content = {f"begin {n}": w for n, w in zip(names, begin, strict=True)}
    content |= {f"answer {n}": w for n, w in zip(names, answer, strict=True)}
    np.savez(
        file,
        model=case.model,
        batch=case.batch,
        rate=case.rate,
        x=x,
        y=y,
        offsets=offsets,
        **content,
    )


if __name__ == "__main__":
    write(CASES[sys.argv[1]], sys.argv[2])
