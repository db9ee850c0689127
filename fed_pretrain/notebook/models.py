"""The model of a call: a name, a file, a Keras model, or a function that builds one."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from fed_pretrain.notebook.argument_errors import ArgumentError, naming
from fed_pretrain.notebook.clients import Clients
from fed_pretrain.tasks import own_model
from fed_pretrain.tasks.own_model import OwnModel
from groundwork.errors import UserError, words_of

if TYPE_CHECKING:
    import tensorflow as tf

Model: TypeAlias = Union[
    str, os.PathLike[str], "tf.keras.Model", "Callable[[], tf.keras.Model]", None
]
_FILES = (".keras", ".h5")


def named(model: Model, clients: Clients, folder: Path) -> str | None:
    """What a run's config calls the model; one that is an object is written into `folder`."""
    if model is None:
        return None
    if isinstance(model, (str, os.PathLike)):
        text = os.fspath(model)
        return f"{own_model.PREFIX}{text}" if text.endswith(_FILES) and ":" not in text else text
    with naming(model="model"):
        own = _own(model, clients)
        path = folder / f"{own.label}.keras"
        return _saved(own, path) if _has_file(own) else own_model.remember(own)


def _own(model: "tf.keras.Model | Callable[[], tf.keras.Model]", clients: Clients) -> OwnModel:
    import tensorflow as tf

    if not isinstance(model, tf.keras.Model):
        if not callable(model):
            raise ArgumentError(
                f"model is a {type(model).__name__}; a Keras model, a function that builds one, a"
                " .keras file or a model's name is wanted"
            )
        return _of_function(model, clients)
    if isinstance(model, tf.keras.Sequential) or model._is_graph_network:
        flat = _flat(model, clients)
        return _described(flat) or own_model.of_function(
            lambda: tf.keras.models.clone_model(flat), flat.name
        )
    kind, config = type(model), _config_of(model)
    return own_model.of_function(lambda: _flat(kind.from_config(config), clients), kind.__name__)


def _of_function(build: "Callable[[], tf.keras.Model]", clients: Clients) -> OwnModel:
    """What it builds, by Keras' description where there is one."""

    def flat() -> "tf.keras.Model":
        return _flat(_built(build), clients)

    name = getattr(build, "__name__", "").strip("<>") or "model"
    return _described(flat()) or own_model.of_function(flat, name)


def _built(build: "Callable[[], tf.keras.Model]") -> "tf.keras.Model":
    import tensorflow as tf

    model = build()
    if not isinstance(model, tf.keras.Model):
        raise ArgumentError(f"model: the function returns a {type(model).__name__}, no Keras model")
    return model


def _described(model: "tf.keras.Model") -> OwnModel | None:
    """None where Keras cannot build it from its own description: layers of the user's, Lambda."""
    try:
        own = own_model.of_model(model)
        own.make()
    except UserError:
        raise
    except Exception:  # Keras raises whatever it cannot find or build.
        return None
    return own


def _config_of(model: "tf.keras.Model") -> dict[str, object]:
    """Of a subclass, if it can be built from it."""
    kind = type(model)
    try:
        config: dict[str, object] = model.get_config()
        kind.from_config(config)
    except Exception as error:  # As above.
        raise ArgumentError(
            f"model: {kind.__name__} is a subclass of Keras' Model that cannot be built anew"
            f" ({type(error).__name__}), and TFF builds it inside its own graph: give a function in"
            f" its place, model=lambda: {kind.__name__}(...), or write get_config"
        ) from None
    return config


def _flat(model: "tf.keras.Model", clients: Clients) -> "tf.keras.Model":
    """With symbolic inputs: those of the model, otherwise those of the data."""
    import tensorflow as tf

    if getattr(model, "inputs", None):
        shape = tuple(model.inputs[0].shape[1:])
        if len(shape) != len(clients.x_shape) or any(
            want not in (None, have) for want, have in zip(shape, clients.x_shape, strict=True)
        ):
            raise ArgumentError(
                f"model: it reads examples of shape {list(shape)}, those of clients have the shape"
                f" {list(clients.x_shape)}"
            )
        return model
    row = tf.keras.Input(clients.x_shape, dtype="float32", name="input")
    try:
        outputs = model(row)
    except Exception as error:  # As above.
        raise ArgumentError(
            f"model: it cannot read examples of shape {list(clients.x_shape)} ({words_of(error)})"
        ) from None
    if isinstance(model, tf.keras.Sequential):
        return model
    return tf.keras.Model(row, outputs, name=model.name)


def _has_file(own: OwnModel) -> bool:
    return isinstance(own.make, own_model.FromDescription)


def _saved(own: OwnModel, path: Path) -> str:
    """Written for the command line; this process need not read it."""
    name = f"{own_model.PREFIX}{path}"
    if not (path.exists() and own_model.is_file_of(name, own)):
        path.parent.mkdir(parents=True, exist_ok=True)
        own.make().save(path)
    return name
