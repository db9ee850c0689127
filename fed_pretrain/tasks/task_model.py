"""The Keras model of a task on its dataset.

An image task's goes from raw uint8 pixels to logits in one flat model: cast, size, colour,
normalise, body. A text task hands its model the vocabulary and the length of a row.
"""

import tensorflow as tf

from fed_pretrain.models import known_models, preprocessing, tracing
from fed_pretrain.tasks.definition import OpenTask
from groundwork.errors import UserError

# Every registered model can be built on images of this side.
_LARGE_ENOUGH = 32


@tracing.unconverted
def build(task: OpenTask, num_classes: int) -> tf.keras.Model:
    """A fresh model from raw rows to float32 logits, preprocessing inside."""
    definition = task.definition
    if task.choice.whole is not None:
        return task.choice.whole(num_classes)
    if definition.build is not None:
        return definition.build(task, num_classes)
    if definition.kind == "image":
        return _image_model(task, num_classes)
    if definition.kind == "text":
        build = task.choice.build or known_models.builder(task.choice.name)
        return build(num_classes, **task.encoder.model_arguments(), **task.choice.arguments)
    raise ValueError(f"a task of kind {definition.kind!r} must define `build`")


def _image_model(task: OpenTask, num_classes: int) -> tf.keras.Model:
    inputs = tf.keras.Input(shape=task.encoder.x_shape, dtype="uint8", name="x")
    x = tf.keras.layers.Rescaling(1.0, name="pixels")(inputs)
    if wants_inversion(task):
        x = tf.keras.layers.Rescaling(-1.0, offset=255.0, name="background")(x)
    x = _framed(x, task)
    x = _coloured(x, task.choice.channels)
    x = _normalised(x, task.preprocessing)
    build = task.choice.build or known_models.builder(task.choice.name)
    shape = tuple(x.shape[1:])
    try:
        return build(num_classes, input_shape=shape, inputs=x, **task.choice.arguments)
    except ValueError as error:
        if min(shape[:2]) >= _LARGE_ENOUGH:
            raise
        raise UserError(
            f"--model={task.choice.name} cannot be built on images of {shape[0]}x{shape[1]}: give "
            f"--input_size={_LARGE_ENOUGH} or more"
        ) from error


def _normalised(x: tf.Tensor, name: str) -> tf.Tensor:
    try:
        return preprocessing.apply(name, x)
    except ValueError as error:
        raise UserError(f"--preprocessing={name}: {error}") from error


def wants_inversion(task: OpenTask) -> bool:
    """FEMNIST is dark on light, MNIST light on dark."""
    wanted = task.definition.background
    return wanted is not None and task.dataset.manifest.extra.get("background", wanted) != wanted


def _framed(x: tf.Tensor, task: OpenTask) -> tf.Tensor:
    """Resized, with empty paper around where the options ask for a margin."""
    margin, size = task.options.input_margin, task.input_size
    if not margin:
        return _resized(x, size)
    inner = (size or min(x.shape[1:3])) - 2 * margin
    if inner < 1:
        raise UserError(f"--input_margin={margin} leaves nothing of images of {inner + 2 * margin}")
    x = _resized(x, inner)
    paper = float(task.definition.background or 0)
    # Keras pads with zeros, so empty paper is made zero meanwhile.
    x = tf.keras.layers.Rescaling(1.0, offset=-paper, name="paper_to_zero")(x)
    x = tf.keras.layers.ZeroPadding2D(margin, name="margin")(x)
    return tf.keras.layers.Rescaling(1.0, offset=paper, name="paper_back")(x)


def _resized(x: tf.Tensor, size: int | None) -> tf.Tensor:
    if size is None or tuple(x.shape[1:3]) == (size, size):
        return x
    return tf.keras.layers.Resizing(size, size, interpolation="bilinear", name="size")(x)


def _coloured(x: tf.Tensor, channels: int | None) -> tf.Tensor:
    """Grey becomes three equal channels; anything else stays."""
    if channels is None or x.shape[-1] == channels:
        return x
    if x.shape[-1] != 1:
        raise ValueError(f"an image of {x.shape[-1]} channels cannot become one of {channels}")
    return tf.keras.layers.Concatenate(name="colour")([x] * channels)
