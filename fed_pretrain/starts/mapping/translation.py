"""A file's tensors under the names and in the layouts of our models."""

import dataclasses
import re
from collections.abc import Callable, Mapping

import numpy as np

from groundwork.untyped import Json

Tensors = Mapping[str, np.ndarray]
Convert = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass
class Translation:
    """What a name map makes of a file, before it meets a model.

    tensors: canonical weight name -> array in Keras' layout.
    origins: canonical weight name -> the tensor's name in the file.
    ignored: names of the file that no model needs, each with the reason.
    optional: layers that a model of this kind may leave out, each with the reason.
    head: the layer whose outputs are the classes the file was trained on.
    labels: what those classes are, in order, if the map knows ("imagenet1k").
    preprocessing: what the weights expect of pixels (a name of models/preprocessing.py).
    """

    architecture: str
    tensors: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    origins: dict[str, str] = dataclasses.field(default_factory=dict)
    ignored: dict[str, str] = dataclasses.field(default_factory=dict)
    optional: dict[str, str] = dataclasses.field(default_factory=dict)
    head: str | None = None
    labels: str | None = None
    preprocessing: str | None = None
    facts: dict[str, Json] = dataclasses.field(default_factory=dict)

    def put(self, target: str, source: str, array: np.ndarray) -> None:
        self.tensors[target] = array
        self.origins[target] = source


@dataclasses.dataclass(frozen=True)
class NameMap:
    """Recognises the files of one architecture and translates them."""

    name: str
    recognises: Callable[[Tensors], bool]
    translate: Callable[[Tensors], Translation]


def as_is(array: np.ndarray) -> np.ndarray:
    return array


def conv(array: np.ndarray) -> np.ndarray:
    """PyTorch's (out, in, height, width) -> Keras' (height, width, in, out)."""
    return np.transpose(array, (2, 3, 1, 0))


def depthwise(array: np.ndarray) -> np.ndarray:
    """PyTorch's (channels, 1, height, width) -> Keras' (height, width, channels, 1)."""
    return np.transpose(array, (2, 3, 0, 1))


def dense(array: np.ndarray) -> np.ndarray:
    """PyTorch's (out, in) -> Keras' (in, out)."""
    return np.transpose(array)


def put_if_present(
    translation: Translation, tensors: Tensors, target: str, source: str, convert: Convert = as_is
) -> None:
    """A tensor the file lacks, or of the wrong rank, is left for the report to name."""
    if source not in tensors:
        return
    try:
        translation.put(target, source, convert(tensors[source]))
    except ValueError:  # the axes do not fit: keep the file's own shape for the sentence
        translation.put(target, source, tensors[source])


def put_layer(
    translation: Translation, tensors: Tensors, target: str, source: str, kernel: Convert
) -> None:
    """A PyTorch convolution or linear layer."""
    attribute = "depthwise_kernel" if kernel is depthwise else "kernel"
    put_if_present(translation, tensors, f"{target}/{attribute}", f"{source}.weight", kernel)
    put_if_present(translation, tensors, f"{target}/bias", f"{source}.bias")


def put_layer_norm(translation: Translation, tensors: Tensors, target: str, source: str) -> None:
    """A PyTorch LayerNorm, under its names of today or of old."""
    for theirs, ours in (
        ("weight", "gamma"),
        ("bias", "beta"),
        ("gamma", "gamma"),
        ("beta", "beta"),
    ):
        put_if_present(translation, tensors, f"{target}/{ours}", f"{source}.{theirs}")


def ignore_rest(translation: Translation, tensors: Tensors, pattern: str, why: str) -> None:
    """Tensors of the file whose whole name matches have no part in any model."""
    expression = re.compile(pattern)
    translation.ignored.update({name: why for name in tensors if expression.fullmatch(name)})


def keep_strangers(translation: Translation, tensors: Tensors) -> Translation:
    """Whatever the map did not name stays visible, to be reported as unused."""
    taken = {*translation.origins.values(), *translation.ignored}
    for name, tensor in tensors.items():
        if name not in taken:
            translation.put(name, name, tensor)
    return translation


BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def put_batch_norm(translation: Translation, tensors: Tensors, target: str, source: str) -> None:
    """A PyTorch BatchNorm; its counter of batches means nothing here."""
    for theirs, ours in BATCH_NORM.items():
        put_if_present(translation, tensors, f"{target}/{ours}", f"{source}.{theirs}")
    if f"{source}.num_batches_tracked" in tensors:
        translation.ignored[f"{source}.num_batches_tracked"] = "a counter of PyTorch's"
