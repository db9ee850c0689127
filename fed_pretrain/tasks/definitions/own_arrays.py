"""Any dataset of arrays, by what its labels are: the way in for a notebook's data.

`fed_pretrain.clients(...)` and `prepare --source=arrays` make such datasets.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from fed_pretrain.tasks.definition import ModelChoice, OpenTask, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.arrays import INPUTS, ArrayEncoder, Arrays
from fed_pretrain.tasks.encoders.tables import Table, TableEncoder

if TYPE_CHECKING:
    import tensorflow as tf

    from data_prep.store.reader import PreparedDataset
    from fed_pretrain.tasks.definition import TaskOptions
    from fed_pretrain.tasks.objective import Objective

HIDDEN = 64
# A cohort of ten and batches of twenty are the simulations' usual ones; the rest is small enough
# for a notebook.
DEFAULTS = TaskDefaults(clients_per_round=10, batch_size=20, rounds=30, evaluate_every=1)


def build_model(task: OpenTask, num_classes: int) -> "tf.keras.Model":
    """One hidden layer over the flattened row; of tokens, over the mean of their vectors."""
    import tensorflow as tf

    layers, encoder = tf.keras.layers, task.encoder
    row = tf.keras.Input(encoder.x_shape, dtype=encoder.x_dtype, name="row")
    if task.definition.name == "next_token":
        x = layers.Embedding(num_classes, HIDDEN, name="tokens")(row)
        x = layers.Conv1D(HIDDEN, 3, padding="causal", activation="relu", name="hidden")(x)
    else:
        x = layers.Rescaling(encoder.scale, encoder.offset, name="scale")(row)
        x = layers.Dense(HIDDEN, activation="relu", name="hidden")(
            layers.Flatten(name="flatten")(x)
        )
    x = layers.Dense(num_classes, name="head")(x)
    if encoder.spread:  # so that the head learns numbers of size one, whatever the unit
        x = layers.Rescaling(list(encoder.spread), list(encoder.centre), name="unit")(x)
    return tf.keras.Model(row, x, name="mlp")


def measured(dataset: "PreparedDataset", options: "TaskOptions") -> ArrayEncoder | TableEncoder:
    """Of arrays, or of a table's columns where the dataset holds no array."""
    held = {feature.name for feature in dataset.manifest.features}
    return (Arrays("regression") if held & {*INPUTS} else Table("number"))(dataset, options)


def squared_error(task: OpenTask) -> "Objective":
    from fed_pretrain.tasks.further_objectives import SquaredError

    return SquaredError(task.encoder.centre, task.encoder.spread)


def binary_cross_entropy(task: OpenTask) -> "Objective":
    from fed_pretrain.tasks.further_objectives import BinaryCrossEntropy

    return BinaryCrossEntropy()


CLASSIFICATION = TaskDefinition(
    name="classification",
    title="your own arrays, one class an example",
    kind="vector",
    expects=(),
    encoder=Arrays("classification"),
    models=(ModelChoice("mlp", build=build_model),),
    defaults=DEFAULTS,
    build=build_model,
)

DEFINITIONS = (
    CLASSIFICATION,
    replace(
        CLASSIFICATION,
        name="regression",
        title="your own arrays or table, numbers to be predicted",
        encoder=measured,
        objective=squared_error,
        of_logits=False,
    ),
    replace(
        CLASSIFICATION,
        name="multilabel",
        title="your own arrays, several labels an example, each yes or no",
        encoder=Arrays("multilabel"),
        objective=binary_cross_entropy,
    ),
    replace(
        CLASSIFICATION,
        name="next_token",
        title="your own rows of tokens, the next one at every place",
        encoder=Arrays("next_token"),
    ),
)
