"""What trains: everything, the head, the biases, the last layers, or those a pattern names.

Adapters belong here too: a rule that adds layers beside frozen ones is a further spec.
"""

import re
from typing import TYPE_CHECKING

from groundwork.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

_LAST = re.compile(r"^last_(\d+)$")
_PATTERN = "regex:"
_BIAS = "bias"
# By the last part of a name; beta is the shift of a normalisation.
_SHIFTS = ("bias", "beta")


def check(spec: str) -> None:
    """Refuses a spec that says nothing known, before any model is built."""
    if spec in ("all", "head", _BIAS) or _LAST.match(spec):
        return
    if not spec.startswith(_PATTERN):
        raise UserError(
            f"--trainable is {spec!r}, must be all, head, bias, last_N or regex:PATTERN of layer"
            " names"
        )
    try:
        re.compile(spec.removeprefix(_PATTERN))
    except re.error as error:
        raise UserError(f"--trainable={spec}: not a regular expression ({error})") from error


def apply(model: "tf.keras.Model", spec: str, head: str | None) -> None:
    """Freezes the layers that do not train."""
    from fed_pretrain.starts import weight_names  # TensorFlow only where a model is

    if spec == _BIAS:
        _freeze_all_but_shifts(model, head)
        return
    training = training_layers(weight_names.weighted_layers(model), spec, head)
    for layer in model.layers:
        if layer.weights and layer.name not in training:
            layer.trainable = False


def training_layers(layers: list[str], spec: str, head: str | None) -> set[str]:
    """The layers that train, of the model's layers with weights in their order."""
    if spec == "all":
        return set(layers)
    if spec == "head":
        if head is None:
            raise UserError("--trainable=head: this model has no head layer of its own")
        return {head}
    last = _LAST.match(spec)
    if last:
        number = int(last.group(1))
        if not 1 <= number <= len(layers):
            raise UserError(
                f"--trainable={spec}: the model has {len(layers)} layers with weights, "
                f"N must be 1 to {len(layers)}"
            )
        return set(layers[-number:])
    pattern = re.compile(spec.removeprefix(_PATTERN))
    matching = {layer for layer in layers if pattern.search(layer)}
    if not matching:
        raise UserError(f"--trainable={spec}: no layer matches; the layers are {', '.join(layers)}")
    return matching


def _freeze_all_but_shifts(model: "tf.keras.Model", head: str | None) -> None:
    """BitFit (2106.10199): biases and the head train.

    Keras freezes whole layers only, so the weights are moved between the lists of their layer.
    """
    from fed_pretrain.starts import weight_names  # TensorFlow only where a model is

    for weight in weight_names.named_weights(model):
        shifts = weight.name.rsplit("/", 1)[-1].split("#")[0] in _SHIFTS
        if not weight.trains or shifts or weight.layer.name == head:
            continue
        # In place, for Keras tracks what is assigned, and by identity, for it compares by value.
        training = weight.holder._trainable_weights
        place = next(i for i, other in enumerate(training) if other is weight.variable)
        weight.holder._non_trainable_weights.append(training.pop(place))
    if not model.trainable_variables:
        raise UserError(f"--trainable={_BIAS}: this model has no biases")
