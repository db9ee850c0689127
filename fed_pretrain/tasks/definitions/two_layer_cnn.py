"""The two-layer CNN of "Initialization Matters" as a task: the laboratory's network in Keras.

A row is [x1, x2], a signal patch y mu and a noise patch; label 0 is y = +1, label 1 is y = -1.
`python -m fed_pretrain.theory --rows=FILE` writes such rows. The second layer is fixed: a class'
logit is the mean of its own filters' responses, so softmax cross-entropy is the logistic loss of
F_+ - F_-.
"""

from typing import TYPE_CHECKING

from fed_pretrain.tasks.definition import ModelChoice, OpenTask, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.images import LabelledVectors, expected_vectors

if TYPE_CHECKING:
    import tensorflow as tf

FILTERS = 10
SIGMA_0 = 0.01


def build_model(task: OpenTask, num_classes: int) -> "tf.keras.Model":
    """Filters class by class, one convolution over both patches."""
    import tensorflow as tf

    layers = tf.keras.layers
    filters = task.choice.arguments.get("filters", FILTERS)
    size = int(task.encoder.x_shape[0] or 0)
    row = tf.keras.Input([size], name="row")
    responses = layers.Conv2D(
        num_classes * filters,
        (1, size // 2),
        use_bias=False,
        kernel_initializer=tf.keras.initializers.RandomNormal(stddev=SIGMA_0),
        name="filters",
    )(layers.Reshape([2, size // 2, 1], name="patches")(row))
    responses = layers.ReLU(name="relu")(responses)
    # A mean over the two patches, doubled, is their sum.
    both = layers.GlobalAveragePooling2D(name="over_patches")(responses)
    by_class = layers.Reshape([num_classes, filters], name="by_class")(both)
    mean = layers.GlobalAveragePooling1D("channels_first", name="over_filters")(by_class)
    return tf.keras.Model(row, layers.Rescaling(2.0, name="logits")(mean))


TWO_LAYER_CNN = TaskDefinition(
    name="two_layer_cnn",
    title="signal and noise patches of the theory laboratory, two labels",
    kind="vector",
    expects=expected_vectors(None),
    encoder=LabelledVectors(("+1", "-1")),
    models=(ModelChoice("two_layer_cnn", build=build_model),),
    # Full participation; a batch as large as a client makes steps full-batch.
    defaults=TaskDefaults(clients_per_round=2, batch_size=10, epochs=20, rounds=10),
    build=build_model,
)

DEFINITIONS = (TWO_LAYER_CNN,)
