"""Files whose tensors already carry a model's own layer names: Keras', TensorFlow's and our own."""

from collections.abc import Iterator

import tensorflow as tf

from fed_pretrain.starts.mapping.translation import Tensors, Translation
from fed_pretrain.starts.weight_names import NamedWeight
from groundwork.untyped import KerasLayer


def translate(tensors: Tensors, weights: list[NamedWeight]) -> Translation:
    """By name; a .keras archive numbers a layer's variables, and that place is a name's alias."""
    found = Translation("the model's own layer names")
    aliases = _aliases(weights)
    for source, array in tensors.items():
        found.put(aliases.get(source, source), source, array)
    return found


def _aliases(weights: list[NamedWeight]) -> dict[str, str]:
    """LAYER/vars/0 or LAYER/cell/vars/0 -> LAYER/kernel."""
    names = {id(weight.variable): weight.name for weight in weights}
    layers = {weight.layer.name: weight.layer for weight in weights}
    return {
        place: names[id(variable)]
        for name, layer in layers.items()
        for place, variable in _places(layer, name, set())
        if id(variable) in names
    }


def _places(layer: KerasLayer, path: str, visited: set[int]) -> Iterator[tuple[str, KerasLayer]]:
    """Attributes by name, as Keras 2 walks a layer when it writes an archive."""
    if id(layer) in visited:
        return
    visited.add(id(layer))
    for number, variable in enumerate([*layer._trainable_weights, *layer._non_trainable_weights]):
        yield f"{path}/vars/{number}", variable
    for attribute, value in sorted(vars(layer).items()):
        if isinstance(value, tf.keras.layers.Layer):
            yield from _places(value, f"{path}/{attribute}", visited)
