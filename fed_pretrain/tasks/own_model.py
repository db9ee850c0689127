"""A Keras model of the user's as the model of a task: `--model=keras:FILE`, or an object in memory.

It goes from the task's rows to outputs and is built anew, by its configuration, wherever a graph
needs one. It is named by its content, so that a file may move and a notebook may run its cells
again.
"""

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fed_pretrain.tasks import keras_description, keras_file
from fed_pretrain.tasks.definition import ModelChoice, TaskDefinition
from groundwork.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

PREFIX = "keras:"
MEMORY = "memory:"
_SUFFIXES = (".keras", ".h5")
_PROBABILITIES = ("softmax", "sigmoid")

_in_memory: "dict[str, OwnModel]" = {}


@dataclasses.dataclass(frozen=True)
class OwnModel:
    """Builds the model; `digest` is of what it is built from."""

    name: str
    digest: str
    make: "Callable[[], tf.keras.Model]"

    @property
    def label(self) -> str:
        return f"{self.name}-{self.digest[:8]}"

    def __call__(self, num_classes: int) -> "tf.keras.Model":
        model = self.make()
        outputs = int(model.output_shape[-1] or 1)
        if outputs != num_classes:
            raise UserError(
                f"--model={self.name} has {outputs} outputs, and the data asks for {num_classes}"
            )
        return model


@dataclasses.dataclass(frozen=True)
class FromDescription:
    """Keras' own description of a Sequential or functional model."""

    text: str

    def __call__(self) -> "tf.keras.Model":
        return keras_description.build(self.text)


def is_own(model: str | None) -> bool:
    """Whether a model's name means one's own: a file, or an object that was remembered."""
    if model is None:
        return False
    return model.startswith(MEMORY) or (model.startswith(PREFIX) and model.endswith(_SUFFIXES))


def remember(own: OwnModel) -> str:
    """The name under which this process finds the model."""
    _in_memory[MEMORY + own.label] = own
    return MEMORY + own.label


def check(model: str) -> None:
    """Refuses a file that is not there."""
    if model.startswith(PREFIX) and not os.path.isfile(model.removeprefix(PREFIX)):
        raise UserError(f"--model={model}: there is no such file")


def choice(model: str, definition: TaskDefinition) -> ModelChoice:
    """On the rows of the task's usual model."""
    usual, own = definition.models[0], find(model)
    if definition.of_logits:
        check_logits(own.make(), own.name)
    return ModelChoice(own.label, encoder=usual.encoder, whole=own, defaults=usual.defaults)


def label(model: str) -> str:
    """The name by content, which a run is known by."""
    return find(model).label


def is_file_of(model: str, own: OwnModel) -> bool:
    """Whether the file holds this very architecture."""
    try:
        return find(model) == own
    except UserError:
        return False


def find(model: str) -> OwnModel:
    if model.startswith(MEMORY):
        if model not in _in_memory:
            raise UserError(
                f"--model={model}: a model that was given as an object is known only to the process"
                " it was given to: give it again"
            )
        return _in_memory[model]
    check(model)
    path = model.removeprefix(PREFIX)
    return _read(path, os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _read(path: str, modified: int) -> OwnModel:
    return of_model(keras_file.read(Path(path)))


def of_model(model: "tf.keras.Model") -> OwnModel:
    """A Sequential or functional model by its configuration."""
    _check_ends(model)
    keras_description.check(model)
    text = keras_description.of(model)
    name = json.loads(text)["config"]["name"]
    return OwnModel(name, hashlib.sha256(text.encode()).hexdigest(), FromDescription(text))


def of_function(make: "Callable[[], tf.keras.Model]", name: str) -> OwnModel:
    """What a function of the user's builds; known by the weights that come out."""

    def made() -> "tf.keras.Model":
        return keras_description.functional(make())

    model = made()
    _check_ends(model)
    keras_description.check(model)
    shapes = [(layer.name, [list(w.shape) for w in layer.weights]) for layer in model.layers]
    return OwnModel(name, hashlib.sha256(json.dumps(shapes).encode()).hexdigest(), made)


def _check_ends(model: "tf.keras.Model") -> None:
    if len(model.inputs or ()) != 1 or len(model.outputs or ()) != 1:
        raise UserError(
            f"--model={model.name} has {len(model.inputs or ())} inputs and"
            f" {len(model.outputs or ())} outputs, and one of each is wanted"
        )


def check_logits(model: "tf.keras.Model", name: str) -> None:
    """Refuses a model whose last layer turns logits into probabilities."""
    last = model.outputs[0]._keras_history.layer
    while getattr(last, "layers", None):
        last = last.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    found = "softmax" if type(last).__name__ == "Softmax" else activation
    if found in _PROBABILITIES:
        raise UserError(
            f"--model={name}: its last layer {last.name!r} ends in {found}, so it returns"
            " probabilities, and logits are wanted: leave the activation out"
        )
