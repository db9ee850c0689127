"""The head of a start: new for the task, kept as it is, or cut to the task's classes."""

import functools
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from fed_pretrain.starts import weight_names
from fed_pretrain.starts.mapping.translation import Translation
from groundwork import from_json, named_text
from groundwork.errors import UserError, words_of

IMAGENET = "imagenet1k"


def find(model: tf.keras.Model, num_classes: int) -> str | None:
    """The last layer with weights, if its outputs are the classes; a tied embedding is not one."""
    weights = weight_names.named_weights(model)
    if not weights:
        return None
    last = weights[-1].layer
    if isinstance(last, tf.keras.Model):  # A nested model as a whole is not a head.
        return None
    widths = [weight.shape[-1:] for weight in weights if weight.layer is last]
    return last.name if (num_classes,) in widths and last.output_shape[-1] == num_classes else None


def size(translation: Translation) -> int | None:
    """How many classes the file's head has."""
    tensors = [
        tensor
        for name, tensor in translation.tensors.items()
        if name.rsplit("/", 1)[0] == translation.head and tensor.ndim
    ]
    return int(tensors[0].shape[-1]) if tensors else None


def class_indices(
    label_names: Sequence[str] | None, translation: Translation, file: str | None
) -> list[int]:
    """The rows of the file's head of the task's classes, in the task's order."""
    classes = size(translation)
    if classes is None:
        raise UserError("--start_head=slice: the file has no head to cut classes from")
    if label_names is None:
        raise UserError("--start_head=slice: the task's dataset does not name its labels")
    if file is not None:
        known = _class_map(file)
    elif translation.labels == IMAGENET and classes == 1000:
        known = imagenet_classes()
    else:
        raise UserError(
            "--start_head=slice: what the file's classes are is not known: give "
            "--start_head_classes=FILE, a JSON object of class name -> index in the file's head"
        )
    absent = [name for name in label_names if name not in known]
    if absent:
        raise UserError(
            f"--start_head=slice: {len(absent)} of the task's {len(label_names)} classes are not "
            f"among the file's, for example {absent[0]!r}"
        )
    indices = [int(known[name]) for name in label_names]
    if max(indices) >= classes or min(indices) < 0:
        raise UserError(f"--start_head_classes={file}: an index is not below {classes}")
    return indices


@functools.cache
def imagenet_classes() -> Mapping[str, int]:
    """WordNet ids in the order of the models' 1000 outputs, as TFDS lists them."""
    import tensorflow_datasets

    root = pathlib.Path(tensorflow_datasets.__file__).parent
    found = next(root.glob("**/imagenet2012/labels.txt"), None) or next(
        root.glob("**/imagenet2012_labels.txt"), None
    )
    if found is None:
        raise UserError("--start_head=slice: TFDS' list of the ImageNet classes is not installed")
    return {wnid: index for index, wnid in enumerate(found.read_text().split())}


def cut(tensor: np.ndarray, indices: Sequence[int]) -> np.ndarray:
    """Only these classes of a head's kernel or bias."""
    return np.ascontiguousarray(tensor[..., list(indices)])


def _class_map(file: str) -> Mapping[str, int]:
    try:
        known = from_json.text(named_text.read("--start_head_classes", pathlib.Path(file)))
    except ValueError as error:
        raise UserError(f"--start_head_classes={file} is not JSON: {words_of(error)}") from error
    if isinstance(known, list):
        known = {name: index for index, name in enumerate(known)}
    if not isinstance(known, dict):
        raise UserError(f"--start_head_classes={file}: must be a JSON object or list")
    return known
