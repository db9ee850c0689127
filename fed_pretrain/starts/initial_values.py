"""Initial values drawn by name: a pure function of (seed, weight name, shape, initialiser).

Neither the order in which layers are built, nor another head, nor what is frozen changes the value
of any other weight, so that random starts of a study are paired.
"""

import numpy as np
import tensorflow as tf

from fed_pretrain.starts import schemes
from fed_pretrain.starts.weight_names import NamedWeight
from groundwork import randomness
from groundwork.errors import UserError


def draw(weight: NamedWeight, seed: int, scheme: str = "") -> tuple[np.ndarray, str]:
    """The seeded initial value of a weight and the name of its initialiser."""
    chosen = schemes.SCHEMES[scheme](weight) if scheme else None
    initializer = chosen or _initializer(weight)
    if initializer is None:
        raise UserError(
            f"weight {weight.name!r} cannot be drawn from --seed: its layer "
            f"({type(weight.holder).__name__}) has no attribute {weight.attribute}_initializer"
        )
    if chosen is None and weight.attribute == "bias" and _opens_forget_gate(weight):
        return _lstm_bias(weight), "zeros, forget gate ones"
    config = dict(initializer.get_config())
    if "seed" in config:
        config["seed"] = randomness.key(seed, "start", weight.name) & 0x7FFFFFFF
    value = type(initializer).from_config(config)(weight.shape, dtype=weight.variable.dtype)
    return np.asarray(value), type(initializer).__name__


def _initializer(weight: NamedWeight) -> "tf.keras.initializers.Initializer | None":
    """Keras' habit: weight `x_kernel` or `x` is drawn by `x_initializer` of the same object."""
    stem = weight.attribute
    for candidate in (stem, stem.removesuffix("_kernel"), stem.removesuffix("s")):
        initializer = getattr(weight.holder, f"{candidate}_initializer", None)
        if initializer is not None:
            return tf.keras.initializers.get(initializer)
    return None


def _opens_forget_gate(weight: NamedWeight) -> bool:
    return bool(getattr(weight.holder, "unit_forget_bias", False))


def _lstm_bias(weight: NamedWeight) -> np.ndarray:
    """Jozefowicz et al. 2015: the forget gate starts open."""
    units = weight.shape[0] // 4
    bias = np.zeros(weight.shape, dtype=np.float32)
    bias[units : 2 * units] = 1.0
    return bias
