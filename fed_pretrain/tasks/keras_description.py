"""A Keras model as text that says the same however often its cell was run, and the model of it.

Keras numbers the layers of a process (dense_7); here they are numbered within their model. Dropout
becomes one whose mask is a function of seed, round and client (models/dropout.py), since Keras' own
would make runs that nobody can repeat.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from groundwork.errors import UserError
from groundwork.untyped import Json, KerasLayer

if TYPE_CHECKING:
    import tensorflow as tf

_KEYED = {
    "class_name": "KeyedDropout",
    "module": None,
    "registered_name": "fed_pretrain>KeyedDropout",
}
_RANDOM = ("SpatialDropout", "Gaussian", "AlphaDropout", "Random")


def of(model: "tf.keras.Model") -> str:
    """The text; equal models give equal ones."""
    description = json.loads(model.to_json())
    for left in ("keras_version", "backend"):
        description.pop(left, None)
    return json.dumps(_renamed(description), sort_keys=True)


def build(text: str) -> "tf.keras.Model":
    """A functional model with fresh weights."""
    import tensorflow as tf

    from fed_pretrain.models import dropout  # registers KeyedDropout  # noqa: F401

    return functional(tf.keras.models.model_from_json(text))


def functional(model: "tf.keras.Model") -> "tf.keras.Model":
    """The same layers, in a model that is functional and without the process' counters.

    Those of nested models keep their names, which no weight's name shows.
    """
    import tensorflow as tf

    taken: dict[str, int] = {}
    for layer in model.layers:
        stem = _stem(type(layer).__name__, layer.name)
        count = taken[stem] = taken.get(stem, -1) + 1
        layer._name = f"{stem}_{count}" if count else stem
    name = _stem(type(model).__name__, model.name)
    return tf.keras.Model(model.inputs, model.outputs, name=name)


def check(model: "tf.keras.Model") -> None:
    """Refuses layers that make a federated run unrepeatable or that hide from its policies."""
    for layer in _inner(model):
        kind = type(layer).__name__
        drops = getattr(layer, "dropout", 0) or getattr(layer, "recurrent_dropout", 0)
        if kind.startswith(_RANDOM) or (drops and not callable(drops)):
            raise UserError(
                f"--model={model.name}: layer {layer.name!r} ({kind}) draws random numbers that no"
                " seed decides, so that no run could be repeated: of such layers use Dropout alone"
            )
        if kind == "BatchNormalization" and layer not in model.layers:
            raise UserError(
                f"--model={model.name}: BatchNormalization {layer.name!r} is inside a nested model,"
                " where it can be neither exchanged nor folded: give the model flat, or with"
                " GroupNormalization"
            )


def _inner(model: "tf.keras.Model") -> Iterator[KerasLayer]:
    import tensorflow as tf

    return (part for part in model.submodules if isinstance(part, tf.keras.layers.Layer))


def _renamed(described: Mapping[str, Json], name: str | None = None) -> dict[str, Json]:
    """A layer or model under a new name, or under its own without the process' counter."""
    config = described["config"]
    old = config.get("name", "")
    name = name or _stem(described["class_name"], old)
    if isinstance(config.get("layers"), list):
        config = _numbered(config)
    config = {key: v if key == "layers" else _inside(v) for key, v in config.items()}
    if old:
        config["name"] = name
    named = {**described, "config": config}
    if "name" in described:
        named["name"] = name
    if described["class_name"] == "Dropout" and not config.get("noise_shape"):
        kept = {key: config[key] for key in ("name", "trainable", "dtype", "rate")}
        named |= {**_KEYED, "config": kept}
    return named


def _inside(value: Json) -> Json:
    if isinstance(value, list):
        return [_inside(one) for one in value]
    if isinstance(value, dict) and "class_name" in value and isinstance(value.get("config"), dict):
        return _renamed(value)
    return value


def _numbered(config: Mapping[str, Json]) -> dict[str, Json]:
    """A model's layers as name, name_1, ... in its own order, and what connects them."""
    new: dict[str, str] = {}
    taken: dict[str, int] = {}
    for layer in config["layers"]:
        stem = _stem(layer["class_name"], layer["config"]["name"])
        count = taken[stem] = taken.get(stem, -1) + 1
        new[layer["config"]["name"]] = f"{stem}_{count}" if count else stem
    layers = [_renamed(layer, new[layer["config"]["name"]]) for layer in config["layers"]]
    for layer in layers:
        if "inbound_nodes" in layer:
            layer["inbound_nodes"] = _exchanged(layer["inbound_nodes"], new)
    ends = {
        key: _exchanged(config[key], new)
        for key in ("input_layers", "output_layers")
        if key in config
    }
    return {**config, "layers": layers, **ends}


def _exchanged(value: Json, new: Mapping[str, str]) -> Json:
    if isinstance(value, list):
        return [_exchanged(one, new) for one in value]
    if isinstance(value, dict):
        return {key: _exchanged(one, new) for key, one in value.items()}
    return new.get(value, value) if isinstance(value, str) else value


def _stem(class_name: str, name: str) -> str:
    """A name that Keras gave, without its number; a name that the user gave stays."""
    if class_name == "InputLayer":
        return "input" if re.fullmatch(r"input(_\d+)?|.*_input", name) else name
    words = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", class_name)
    words = re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
    stem = re.sub(r"_\d+$", "", name)
    return stem if stem in (words, "model") else name
