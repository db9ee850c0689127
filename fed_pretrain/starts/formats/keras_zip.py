"""Keras' .keras archives: the weights by layer name, the configuration only read, never built."""

import os
import re
import zipfile

import numpy as np

from fed_pretrain.starts.formats import keras_h5, zip_members
from fed_pretrain.starts.formats.source_file import ReadBudget
from groundwork import from_json
from groundwork.untyped import Json

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
_LAYERS = re.compile(r"^(?:_layer_checkpoint_dependencies|layers)/([^/]+)/(.+)$")


def read(path: str) -> dict[str, np.ndarray]:
    """The tensors as LAYER/vars/N or LAYER/PART/vars/N, the archive's own order inside a layer."""
    budget = ReadBudget(path, os.path.getsize(path))
    with zipfile.ZipFile(path) as archive:
        config = from_json.text(zip_members.read(archive, CONFIG, budget))
        content = zip_members.read(archive, WEIGHTS, budget)
    layers = _layer_by_key(config)
    tensors = {}
    for name, tensor in keras_h5.read_member(content, path).items():
        match = _LAYERS.match(name)
        if match:  # The optimizer's variables are beside the layers.
            tensors[f"{layers.get(match.group(1), match.group(1))}/{match.group(2)}"] = tensor
    return tensors


def _layer_by_key(config: dict[str, Json]) -> dict[str, str]:
    """Keras 2 files layers under class names counted in order: conv2d, conv2d_1, ..."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for layer in config.get("config", {}).get("layers", []):
        stem = _snake_case(layer["class_name"])
        number = counts.get(stem, 0)
        counts[stem] = number + 1
        names[f"{stem}_{number}" if number else stem] = layer["config"]["name"]
    own_names = set(names.values())
    # Keras 3 files them under their own names already.
    return {key: name for key, name in names.items() if key not in own_names or key == name}


def _snake_case(name: str) -> str:
    """As Keras derives a key from a class name."""
    name = re.sub(r"\W+", "", name.rsplit(">", 1)[-1])
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
