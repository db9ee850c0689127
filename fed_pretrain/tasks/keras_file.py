"""The architecture that a Keras file describes, read without running what it may hold.

Keras would build whatever class a file names, and an `.h5` file may hold the bytecode of a Lambda.
So the description is read here, every part of it is checked, and only then is the model built from
it, with fresh weights.
"""

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from fed_pretrain.models import keras_parts
from groundwork import memory
from groundwork.errors import UserError, words_of
from groundwork.untyped import Json

if TYPE_CHECKING:
    import tensorflow as tf


def read(path: Path) -> "tf.keras.Model":
    """The model of a `.keras` or `.h5` file; a UserError for what cannot be built safely."""
    import tensorflow as tf

    from fed_pretrain.models import dropout  # registers KeyedDropout  # noqa: F401

    described = _description(path)
    why = keras_parts.refusal(described)
    if why is not None:
        raise UserError(f"--model=keras:{path}: {why}; give the model as an object in Python")
    text = json.dumps(described)
    try:
        with tf.Graph().as_default():  # Here weights have shapes, and take no memory yet.
            weights = tf.keras.models.model_from_json(text).weights
            size = sum(weight.shape.num_elements() * weight.dtype.size for weight in weights)
        if size > memory.bytes_of_machine():
            raise ValueError(f"its weights take {size / 1e9:,.0f} GB, more than this machine has")
        return tf.keras.models.model_from_json(text)
    except Exception as error:  # Keras raises whatever a layer's constructor does.
        raise UserError(
            f"--model=keras:{path}: Keras cannot build it ({words_of(error)})"
        ) from error


def _description(path: Path) -> Json:
    try:
        of = keras_parts.of_archive if zipfile.is_zipfile(path) else _of_h5
        described = of(path)
    except keras_parts.UNREADABLE as error:
        raise UserError(
            f"--model=keras:{path} is not a Keras file of a model ({error}): write it with "
            "model.save('FILE.keras')"
        ) from None
    if not isinstance(described, dict):
        raise UserError(f"--model=keras:{path} describes no model")
    return described


def _of_h5(path: Path) -> Json:
    with h5py.File(path, "r") as file:
        declared = file.attrs.get_id("model_config")
        if declared.shape != () or not h5py.check_string_dtype(declared.dtype):
            raise ValueError("its description is not a text")
        text: str | bytes = file.attrs["model_config"]
        if len(text) > keras_parts.LARGEST:
            raise ValueError("its description is larger than 8 MiB")
        return keras_parts.parsed(text)
