"""What trains: everything, the head, the biases, adapters, the last layers, or a pattern's."""

import re
from typing import TYPE_CHECKING

from groundwork.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

    from fed_pretrain.models.adapters import Adapters

_LAST = re.compile(r"^last_(\d+)$")
_PATTERN = "regex:"
_BIAS = "bias"
LORA = "lora"
# By the last part of a name; beta is the shift of a normalisation.
_SHIFTS = ("bias", "beta")


def check(spec: str) -> None:
    """Refuses a spec that says nothing known, before any model is built."""
    if spec in ("all", "head", _BIAS, LORA) or _LAST.match(spec):
        return
    if not spec.startswith(_PATTERN):
        raise UserError(
            f"--trainable is {spec!r}, must be all, head, bias, lora, last_N or regex:PATTERN of"
            " layer names"
        )
    try:
        re.compile(spec.removeprefix(_PATTERN))
    except re.error as error:
        raise UserError(f"--trainable={spec}: not a regular expression ({error})") from error


def apply(
    model: "tf.keras.Model", spec: str, head: str | None, lora: "Adapters | None" = None
) -> "tf.keras.Model":
    """The model with what does not train frozen; the same object but for adapters."""
    from fed_pretrain.models import adapted_layers  # TensorFlow only where a model is
    from fed_pretrain.starts import weight_names

    if lora is not None:
        return adapted_layers.add(model, lora, head)
    if spec == _BIAS:
        _freeze_all_but_shifts(model, head)
        return model
    training = training_layers(weight_names.weighted_layers(model), spec, head)
    for layer in model.layers:
        if layer.weights and layer.name not in training:
            layer.trainable = False
    return model


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
    """BitFit (2106.10199): biases and the head train."""
    from fed_pretrain.models import adapted_layers  # TensorFlow only where a model is
    from fed_pretrain.starts import weight_names

    for weight in weight_names.named_weights(model):
        shifts = weight.name.rsplit("/", 1)[-1].split("#")[0] in _SHIFTS
        if weight.trains and not shifts and weight.layer.name != head:
            adapted_layers.freeze(weight.holder, weight.variable)
    if not model.trainable_variables:
        raise UserError(f"--trainable={_BIAS}: this model has no biases")
