"""Which parts of a Keras description may be built: plain layers of Keras' own, and ours.

Keras imports the module that a part names and calls what it finds there. Among its own classes are
some that hold bytecode, or call any function of TensorFlow by its name. So a part is built only if
its name is on a short list, and its module is Keras' own.
"""

import contextlib
import functools
import importlib
import inspect
import zipfile
from collections.abc import Iterator
from pathlib import Path

from groundwork import from_json
from groundwork.untyped import Json

UNREADABLE = (OSError, KeyError, ValueError, zipfile.BadZipFile, RecursionError)
"""What reading a description may raise."""
LARGEST = 8 << 20
_OURS = "fed_pretrain>"
_OUR_MODULES = "fed_pretrain.models."
_MODULES = ("keras", "tf_keras", "builtins")
_CLASSES = ("layers", "initializers", "regularizers", "constraints")
_FUNCTIONS = ("activations", "initializers", "regularizers", "constraints")
_OTHERS = {"Functional", "Model", "Policy", "Sequential", "TensorShape", "__tuple__"}
_CALLING = {"Lambda", "TFSMLayer"}


def of_archive(path: Path) -> Json:
    """What a `.keras` file describes."""
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo("config.json").file_size > LARGEST:
            raise ValueError("its description is larger than 8 MiB")
        return parsed(archive.read("config.json"))


def parsed(text: str | bytes) -> Json:
    """Without how the model was compiled, which names losses and metrics and is not needed."""
    return from_json.text(text, _uncompiled)


def refusal(described: Json) -> str | None:
    """Why it is not built; None if it can run nothing and reads no other file."""
    reasons = (_refusal(part) for part in _parts(described))
    return next((reason for reason in reasons if reason is not None), None)


def _uncompiled(part: Json) -> Json:
    return {name: value for name, value in part.items() if name != "compile_config"}


def _parts(value: Json) -> Iterator[Json]:
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


def _refusal(part: Json) -> str | None:
    name, module, config = part["class_name"], part.get("module"), part.get("config")
    if isinstance(config, dict) and isinstance(config.get("vocabulary"), str):
        return f"its {name} reads the words of another file: write them into the model"
    if name == "function" and not _is_known_function(config):
        return f"it names the function {config!r}, which is neither Keras' own nor ours"
    plain = isinstance(name, str) and (name == "function" or name in _plain())
    if _is_ours(part) or (plain and _is_of_keras(module)):
        return None
    return (
        f"its part {name!r} of the module {module!r} is neither a plain Keras layer nor one of"
        " ours, so it could run code"
    )


def _is_of_keras(module: Json) -> bool:
    return module is None or (isinstance(module, str) and module.split(".")[0] in _MODULES)


def _is_ours(part: Json) -> bool:
    import tensorflow as tf

    registered, module = part.get("registered_name"), part.get("module")
    if registered != f"{_OURS}{part['class_name']}":
        return False
    if isinstance(module, str) and module.startswith(_OUR_MODULES):
        # It registers the layer, unless the file was made up.
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    return tf.keras.saving.get_registered_object(registered) is not None


@functools.cache
def _plain() -> frozenset[str]:
    import tensorflow as tf

    rooms = [getattr(tf.keras, room) for room in _CLASSES]
    found = {name for room in rooms for name in dir(room) if isinstance(getattr(room, name), type)}
    return frozenset((found | _OTHERS) - _CALLING)


def _is_known_function(name: Json) -> bool:
    import tensorflow as tf

    from fed_pretrain.models import attention  # noqa: F401  # It registers ours.

    if not isinstance(name, str):
        return False
    if name.startswith(_OURS):
        return inspect.isfunction(tf.keras.saving.get_registered_object(name))
    return any(hasattr(getattr(tf.keras, p), name) for p in _FUNCTIONS)
