"""Any dataset of arrays, by what its labels are: the way in for a notebook's data.

`fed_pretrain.clients(...)` and `prepare --source=arrays` make such datasets.
"""

from typing import TYPE_CHECKING

from fed_pretrain.tasks.definition import ModelChoice, OpenTask, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.arrays import Arrays

if TYPE_CHECKING:
    import tensorflow as tf

    from fed_pretrain.tasks.objective import Objective

HIDDEN = 64
# A cohort of ten and batches of twenty are the simulations' usual ones; the rest is small enough
# for a notebook.
_DEFAULTS = TaskDefaults(clients_per_round=10, batch_size=20, rounds=30, evaluate_every=1)


def build_model(task: OpenTask, num_classes: int) -> "tf.keras.Model":
    """One hidden layer over the flattened row; of tokens, over the mean of their vectors."""
    import tensorflow as tf

    layers, encoder = tf.keras.layers, task.encoder
    row = tf.keras.Input(encoder.x_shape, dtype=encoder.x_dtype, name="row")
    if task.definition.name == "next_token":
        x = layers.Embedding(num_classes, HIDDEN, name="tokens")(row)
        x = layers.Conv1D(HIDDEN, 3, padding="causal", activation="relu", name="hidden")(x)
    else:
        scale = 1 / 255 if encoder.x_dtype == "uint8" else 1.0
        x = layers.Flatten(name="flatten")(layers.Rescaling(scale, name="scale")(row))
        x = layers.Dense(HIDDEN, activation="relu", name="hidden")(x)
    return tf.keras.Model(row, layers.Dense(num_classes, name="head")(x), name="mlp")


_MODELS = (ModelChoice("mlp", build=build_model),)


def squared_error(task: OpenTask) -> "Objective":
    from fed_pretrain.tasks.further_objectives import SquaredError

    return SquaredError(getattr(task.encoder, "centre"))  # noqa: B009 - an encoder of arrays


def binary_cross_entropy(task: OpenTask) -> "Objective":
    from fed_pretrain.tasks.further_objectives import BinaryCrossEntropy

    return BinaryCrossEntropy()


DEFINITIONS = (
    TaskDefinition(
        name="classification",
        title="your own arrays, one class an example",
        kind="vector",
        expects=(),
        encoder=Arrays("classification"),
        models=_MODELS,
        defaults=_DEFAULTS,
        build=build_model,
    ),
    TaskDefinition(
        name="regression",
        title="your own arrays, numbers to be predicted",
        kind="vector",
        expects=(),
        encoder=Arrays("regression"),
        models=_MODELS,
        defaults=_DEFAULTS,
        build=build_model,
        objective=squared_error,
        of_logits=False,
    ),
    TaskDefinition(
        name="multilabel",
        title="your own arrays, several labels an example, each yes or no",
        kind="vector",
        expects=(),
        encoder=Arrays("multilabel"),
        models=_MODELS,
        defaults=_DEFAULTS,
        build=build_model,
        objective=binary_cross_entropy,
    ),
    TaskDefinition(
        name="next_token",
        title="your own rows of tokens, the next one at every place",
        kind="vector",
        expects=(),
        encoder=Arrays("next_token"),
        models=_MODELS,
        defaults=_DEFAULTS,
        build=build_model,
    ),
)
