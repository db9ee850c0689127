"""Names of a model's weights that do not depend on when or how often it was built.

A name is "LAYER/ATTRIBUTE" (`conv1/kernel`, `rnn_1/recurrent_kernel`). Keras' own names carry
counters of the process (`lstm_cell_3/kernel`), so they cannot identify anything.
"""

import collections
import dataclasses
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from groundwork.untyped import KerasLayer

if TYPE_CHECKING:  # Names are checked without importing TensorFlow.
    import tensorflow as tf

_COUNTER = re.compile(r"_\d+$")


@dataclasses.dataclass(frozen=True)
class NamedWeight:
    """A variable with its name, its layer, and the object that holds it as `holder.attribute`."""

    name: str
    layer: "tf.keras.layers.Layer"
    holder: KerasLayer
    attribute: str
    variable: "tf.Variable"
    trains: bool

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.variable.shape)


def names(model: "tf.keras.Model") -> tuple[list[str], list[str]]:
    """The names of (trainable, non-trainable) variables, in the model's own order."""
    by_id = {id(weight.variable): weight.name for weight in named_weights(model)}
    return (
        [by_id[id(variable)] for variable in model.trainable_variables],
        [by_id[id(variable)] for variable in model.non_trainable_variables],
    )


def named_weights(model: "tf.keras.Model") -> list[NamedWeight]:
    """Every weight once, layer by layer; a weight that two layers share belongs to the first."""
    found: list[NamedWeight] = []
    seen: set[int] = set()
    training = {id(variable) for variable in model.trainable_variables}
    for layer in model.layers:
        fresh = [w for w in layer.weights if id(w) not in seen]
        seen.update(id(w) for w in fresh)
        holders = {id(value): (holder, key) for holder, key, value in _variables_of(layer)}
        paths = canonical(layer.name, [variable.name for variable in fresh])
        for name, variable in zip(paths, fresh, strict=True):
            holder, attribute = holders.get(id(variable), (layer, name.rsplit("/", 1)[-1]))
            trains = id(variable) in training
            found.append(NamedWeight(name, layer, holder, attribute, variable, trains))
    return found


def canonical(layer: str, paths: list[str]) -> list[str]:
    """The names of one layer's weights, from the paths that Keras or TensorFlow gave them.

    LAYER/ATTRIBUTE; where that is not unique, the path inside the layer without its counters.
    """
    inner = [_inner_path(layer, path) for path in paths]
    counts = collections.Counter(parts[-1] for parts in inner)
    short = [parts[-1] if counts[parts[-1]] == 1 else "/".join(parts) for parts in inner]
    repeats: collections.Counter[str] = collections.Counter()
    unique = []
    for name in short:
        repeats[name] += 1
        unique.append(name if repeats[name] == 1 else f"{name}#{repeats[name]}")
    return [f"{layer}/{name}" for name in unique]


def weighted_layers(model: "tf.keras.Model") -> list[str]:
    """The names of the layers that have weights, in the model's order."""
    return list(dict.fromkeys(weight.layer.name for weight in named_weights(model)))


def _inner_path(layer_name: str, variable_name: str) -> list[str]:
    *path, attribute = variable_name.split(":")[0].split("/")
    stems, stem = [_COUNTER.sub("", part) for part in path], _COUNTER.sub("", layer_name)
    # A layer that was renamed after its weights were made is in their paths by its old number.
    places = [path.index(layer_name)] if layer_name in path else []
    places += [stems.index(stem)] if stem in stems else []
    return [*(stems[places[0] + 1 :] if places else stems), attribute]


def _variables_of(
    layer: "tf.keras.layers.Layer",
) -> Iterator[tuple[KerasLayer, str, "tf.Variable"]]:
    import tensorflow as tf

    for holder in layer._flatten_layers():
        for attribute, value in vars(holder).items():
            if isinstance(value, tf.Variable):
                yield holder, attribute, value
