"""Random weights: as the model says, or as another library would draw them (`random:keras`)."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from groundwork.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

    from fed_pretrain.starts.weight_names import NamedWeight

    Scheme = Callable[[NamedWeight], tf.keras.initializers.Initializer | None]

RANDOM = "random"


def scheme_of(spec: str) -> str | None:
    """What `--start=random:NAME` names, "" of plain random; None of a start that is not random."""
    kind, _, name = spec.partition(":")
    if kind != RANDOM:
        return None
    if spec != RANDOM and name not in SCHEMES:
        known = ", ".join(f"{RANDOM}:{one}" for one in SCHEMES)
        raise UserError(f"--start is {spec!r}: random weights are {RANDOM}, {known}")
    return name


def _keras(weight: "NamedWeight") -> "tf.keras.initializers.Initializer | None":
    """What Keras gives a layer that asks for nothing (Glorot and Bengio, 2010)."""
    import tensorflow as tf

    if weight.attribute == "kernel":
        return tf.keras.initializers.GlorotUniform(seed=0)
    return tf.keras.initializers.Zeros() if weight.attribute == "bias" else None


def _torchvision(weight: "NamedWeight") -> "tf.keras.initializers.Initializer | None":
    """As torchvision's ResNets: convolutions by He et al. (2015), by fan-out; PyTorch's head."""
    import tensorflow as tf

    kernel = getattr(weight.holder, "kernel", None)
    if kernel is None or weight.attribute not in ("kernel", "bias"):
        return None
    if len(kernel.shape) == 2:
        bound = 1 / math.sqrt(kernel.shape[0])
        return tf.keras.initializers.RandomUniform(-bound, bound, seed=0)
    if weight.attribute == "bias":
        return tf.keras.initializers.Zeros()
    return tf.keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=0)


SCHEMES: "Mapping[str, Scheme]" = {"keras": _keras, "torchvision": _torchvision}
"""Initialisers of a weight; None leaves it to its layer."""
