"""The architecture that a Keras file describes, read without running what it may hold.

Keras looks up by name whatever module and class a file states, and an `.h5` file may hold the
bytecode of a Lambda. So the description is read here, every class in it must be a layer of Keras'
own or of ours, and only then is the model built from it, with fresh weights.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from groundwork import memory
from groundwork.errors import UserError
from groundwork.untyped import Json

if TYPE_CHECKING:
    import tensorflow as tf

_LARGEST = 8 << 20
_OURS = "fed_pretrain>"
_MODULES = ("keras", "tf_keras", "builtins")
_FUNCTIONS = ("activations", "initializers", "regularizers", "constraints")
_CALLING = ("Lambda", "TFOpLambda", "SlicingOpLambda", "TFSMLayer", "__lambda__")


def read(path: Path) -> "tf.keras.Model":
    """The model of a `.keras` or `.h5` file; a UserError for what cannot be built safely."""
    import tensorflow as tf

    from fed_pretrain.models import dropout  # registers KeyedDropout  # noqa: F401

    described = _description(path)
    for part in _described_objects(described):
        _check(path, part)
    text = json.dumps(described)
    try:
        with tf.Graph().as_default():  # Here weights have shapes, and take no memory yet.
            weights = tf.keras.models.model_from_json(text).weights
            size = sum(weight.shape.num_elements() * weight.dtype.size for weight in weights)
        if size > memory.bytes_of_machine():
            raise ValueError(f"its weights take {size / 1e9:,.0f} GB, more than this machine has")
        return tf.keras.models.model_from_json(text)
    except Exception as error:  # Keras raises whatever a layer's constructor does.
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"--model=keras:{path}: Keras cannot build it ({why})") from error


def _description(path: Path) -> Json:
    try:
        text = _of_zip(path) if zipfile.is_zipfile(path) else _of_h5(path)
        described = json.loads(text)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, RecursionError) as error:
        raise UserError(
            f"--model=keras:{path} is no Keras file of a model ({error}): write it with "
            "model.save('FILE.keras')"
        ) from None
    if not isinstance(described, dict):
        raise UserError(f"--model=keras:{path} describes no model")
    return described


def _of_zip(path: Path) -> str | bytes:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo("config.json").file_size > _LARGEST:
            raise ValueError("its description is larger than 8 MiB")
        return archive.read("config.json")


def _of_h5(path: Path) -> str | bytes:
    with h5py.File(path, "r") as file:
        declared = file.attrs.get_id("model_config")
        if declared.shape != () or not h5py.check_string_dtype(declared.dtype):
            raise ValueError("its description is not a text")
        text: str | bytes = file.attrs["model_config"]
        if len(text) > _LARGEST:
            raise ValueError("its description is larger than 8 MiB")
        return text


def _described_objects(value: Json) -> Iterator[Json]:
    """Every part that names a class to be made, also within layers and models."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
            if "class_name" in part:
                yield part
        elif isinstance(part, list):
            waiting += part


def _check(path: Path, part: Json) -> None:
    name, registered = part["class_name"], part.get("registered_name") or ""
    module = part.get("module") or "keras"
    if name in _CALLING:
        raise UserError(
            f"--model=keras:{path} holds a {name}, which is code: no code of a file is run (use a "
            "layer of Keras' own, or give the model as an object in Python)"
        )
    config = part.get("config")
    if isinstance(config, dict) and isinstance(config.get("vocabulary"), str):
        raise UserError(
            f"--model=keras:{path}: its {name} reads the words of another file: write them into "
            "the model"
        )
    if name == "function" and not _is_function_of_keras(config):
        raise UserError(
            f"--model=keras:{path} names the function {config!r}, which is not Keras' "
            "own: give the model as an object in Python"
        )
    ours = isinstance(registered, str) and registered.startswith(_OURS)
    keras_own = isinstance(module, str) and module.split(".")[0] in _MODULES
    if not ours and not keras_own:
        raise UserError(
            f"--model=keras:{path} holds the class {name!r} of the module {module!r}, which is not "
            "Keras' own: give the model as an object in Python"
        )


def _is_function_of_keras(name: Json) -> bool:
    import tensorflow as tf

    return isinstance(name, str) and any(hasattr(getattr(tf.keras, p), name) for p in _FUNCTIONS)
