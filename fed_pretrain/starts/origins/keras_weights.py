"""`--start=keras:NAME`: the ImageNet weights that keras.applications downloads."""

import os

from fed_pretrain.models import keras_application
from fed_pretrain.starts import weight_names
from fed_pretrain.starts.formats.source_file import SourceFile
from groundwork.errors import UserError, check_choice, words_of


def check(name: str) -> None:
    known = keras_application.PREPROCESSINGS
    check_choice("--start", f"keras:{name}", [f"keras:{one}" for one in known])


def read(name: str, model_name: str) -> SourceFile:
    """Keras' own copy (~/.keras/models), fetched by Keras if it is not there."""
    check(name)
    if model_name != keras_application.PREFIX + name:
        raise UserError(
            f"--start=keras:{name} fits --model=keras:{name} only, the task's model is {model_name}"
        )
    try:
        application = keras_application.application(name)
        model = application(weights="imagenet")
    except Exception as error:  # Keras raises a bare Exception when it cannot download
        folder = os.path.join(os.path.expanduser("~"), ".keras", "models")
        raise UserError(
            f"--start=keras:{name}: not on this machine and not to be downloaded "
            f"({words_of(error)}): put Keras' file into {folder}, or give "
            "--start=checkpoint:FILE.h5"
        ) from error
    tensors = {w.name: w.variable.numpy() for w in weight_names.named_weights(model)}
    metadata = {"preprocessing": keras_application.PREPROCESSINGS[name], "labels": "imagenet1k"}
    return SourceFile(f"keras.applications {name}", "keras.applications", tensors, metadata)
