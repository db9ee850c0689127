"""A model in two: what gives the same for an example in every round, and the rest.

Whatever comes after a weight that trains, or after dropout, changes from step to step. The rest
is a function of the example alone, and where one tensor leaves it, the model can be cut there.
"""

import collections
import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from fed_pretrain.models.dropout import KeyedDropout
from groundwork.untyped import KerasLayer


@dataclasses.dataclass(frozen=True)
class Cut:
    """Where `whole` is cut: `tensor` leaves the body, and `steps` come after it."""

    whole: tf.keras.Model
    tensor: tf.Tensor
    steps: Sequence[KerasLayer]

    @property
    def body(self) -> tf.keras.Model:
        """Gives what the tail is given."""
        return tf.keras.Model(self.whole.inputs, self.tensor)


def cut(model: tf.keras.Model, quiet: bool = False) -> Cut | None:
    """None where every weight may change what comes behind it, or no single tensor leaves.

    `quiet` leaves out dropout in front of frozen weights, as in evaluation.
    """
    steps = [
        node
        for _, nodes in sorted(getattr(model, "_nodes_by_depth", {}).items(), reverse=True)
        for node in nodes
        if not node.is_input
    ]
    before_frozen = _before_frozen(steps) if quiet else set()
    moving: set[int] = set()
    leaving: dict[int, tf.Tensor] = {}
    after, frozen = [], False
    for node in steps:
        layer, inputs = node.layer, tf.nest.flatten(node.keras_inputs)
        drops = _random(layer) and id(layer) not in before_frozen
        if layer.trainable_weights or drops or any(id(t) in moving for t in inputs):
            leaving |= {id(t): t for t in inputs if id(t) not in moving}
            moving |= {id(t) for t in tf.nest.flatten(node.outputs)}
            after.append(node)
        else:
            frozen = frozen or bool(layer.weights)
    if not frozen or len(leaving) != 1:
        return None
    (tensor,) = leaving.values()
    if None in tensor.shape[1:]:
        return None
    return Cut(model, tensor, after)


class Tail(tf.keras.Model):
    """The steps of a model after a cut, with the variables of all of it.

    Keras makes no functional model of graph tensors in the middle of another, so its own way of
    running one is followed here.
    """

    def __init__(self, found: Cut) -> None:
        super().__init__()
        self._whole, self._steps = found.whole, list(found.steps)
        self._first, self._last = str(id(found.tensor)), str(id(found.whole.output))

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        uses = collections.Counter(name for node in self._steps for name in node.flat_input_ids)
        values = {self._first: [x] * uses[self._first]}
        for node in self._steps:
            positional, named = node.map_arguments(values)  # Takes one of each value it uses.
            outputs = tf.nest.flatten(node.layer(*positional, **named))
            for name, value in zip(tf.nest.flatten(node.flat_output_ids), outputs, strict=True):
                values[name] = [value] * (uses[name] + 1)
        return values[self._last][0]

    @property
    def trainable_weights(self) -> list[tf.Variable]:
        return list(self._whole.trainable_weights)

    @property
    def non_trainable_weights(self) -> list[tf.Variable]:
        return list(self._whole.non_trainable_weights)


@dataclasses.dataclass(frozen=True)
class BuildTail:
    """Picklable, as the builder of the whole model is."""

    build_model: Callable[[], tf.keras.Model]
    quiet: bool

    def __call__(self) -> tf.keras.Model:
        found = cut(self.build_model(), self.quiet)
        assert found is not None
        return Tail(found)


def _random(layer: tf.keras.layers.Layer) -> bool:
    """Whether it drops something in training."""
    parts = list(layer._flatten_layers())
    kinds = (KeyedDropout, tf.keras.layers.Dropout, tf.keras.layers.GaussianNoise)
    return any(isinstance(part, kinds) or getattr(part, "rate", 0) for part in parts)


def _before_frozen(steps: Sequence[KerasLayer]) -> set[int]:
    """Layers in front of weights that do not train, those with such weights included."""
    wanted: set[int] = set()
    found: set[int] = set()
    for node in reversed(steps):
        layer = node.layer
        frozen = bool(layer.weights) and not layer.trainable_weights
        if frozen or any(id(t) in wanted for t in tf.nest.flatten(node.outputs)):
            found.add(id(layer))
            wanted |= {id(t) for t in tf.nest.flatten(node.keras_inputs)}
    return found
