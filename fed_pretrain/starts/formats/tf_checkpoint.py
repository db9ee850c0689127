"""TensorFlow checkpoints (object-based or by name) and the variables of a SavedModel."""

import collections
import glob
import math
import os
import re
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from fed_pretrain.starts import weight_names
from fed_pretrain.starts.formats.source_file import ReadBudget
from groundwork.errors import UserError

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_NOT_OF_A_MODEL = re.compile(
    r"OPTIMIZER_SLOT|(^|/)save_counter|(^|/)_?optimizer(/|$)|keras_api/metrics|(^|/)global_step$"
)


def read(path: str) -> dict[str, np.ndarray]:
    """`path` is a prefix (PATH.index beside it) or a folder whose `checkpoint` file names one."""
    prefix = path
    if os.path.isdir(path):
        latest = tf.train.latest_checkpoint(path)
        if latest is None:
            raise UserError(f"{path}: this folder holds no whole TensorFlow checkpoint")
        prefix = latest
    prefix = prefix.removesuffix(".index")
    reader = tf.train.load_checkpoint(prefix)
    full_names = _full_names(reader)
    _check_size(reader, full_names, path, prefix)
    tensors = {name: np.asarray(reader.get_tensor(key)) for key, name in full_names.items()}
    return _by_layer({n: t for n, t in tensors.items() if t.dtype.kind in "fiub"})


def _check_size(
    reader: "tf.train.CheckpointReader", keys: Iterable[str], path: str, prefix: str
) -> None:
    """TensorFlow allocates what the index declares before it looks at the data."""
    shards = glob.glob(f"{glob.escape(prefix)}.data-*")
    budget = ReadBudget(path, sum(map(os.path.getsize, shards)))
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    for key in keys:
        budget.take(math.prod(shapes[key]) * max(1, dtypes[key].size))


def read_saved_model(path: str) -> dict[str, np.ndarray]:
    """A SavedModel's variables; its functions are never loaded."""
    variables = os.path.join(path, "variables", "variables")
    if not os.path.exists(variables + ".index"):
        raise UserError(f"{path}: this SavedModel holds no variables (variables/variables.index)")
    return read(variables)


def _full_names(reader: "tf.train.CheckpointReader") -> dict[str, str]:
    """Checkpoint key -> the variable's name; the object graph knows it."""
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    shapes = reader.get_variable_to_shape_map()
    keys = [key for key in shapes if key != _OBJECT_GRAPH and not _NOT_OF_A_MODEL.search(key)]
    if _OBJECT_GRAPH not in shapes:
        return {key: key for key in keys}
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor(_OBJECT_GRAPH)
    )
    known = {
        attribute.checkpoint_key: attribute.full_name
        for node in graph.nodes
        for attribute in node.attributes
        if attribute.full_name
    }
    return {key: known.get(key, key.removesuffix(_VALUE)) for key in keys}


def _by_layer(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    layers: dict[str, list[str]] = collections.defaultdict(list)
    for name in tensors:
        layers[name.split("/", 1)[0]].append(name)
    named: dict[str, np.ndarray] = {}
    for layer, paths in layers.items():
        for name, path in zip(weight_names.canonical(layer, paths), paths, strict=True):
            named[name] = tensors[path]
    return named
