"""A run's model as a file for others: Keras, SavedModel, TFLite, NumPy; with labels inside."""

import contextlib
import io
import json
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

from fed_pretrain.models import adapted_layers, adapters, keras_parts, keras_versions
from fed_pretrain.models.adapters import Adapters
from fed_pretrain.models.dropout import KeyedDropout
from fed_pretrain.models.norm import GroupNorm, LayerNorm
from fed_pretrain.starts import weight_names
from fed_pretrain.starts.formats import facts as own_facts
from fed_pretrain.starts.formats.facts import FACTS_FILE, LABELS_FILE
from fed_pretrain.starts.weight_names import named_weights
from fed_pretrain.tasks.encoders.byte_pairs import BytePairs
from fed_pretrain.tasks.encoders.characters import CharacterVocabulary
from fed_pretrain.tasks.encoders.words import LEAF_BEGIN, LEAF_END, LEAF_PADDING, WordVocabulary
from fed_pretrain.tasks.task import Task
from groundwork import files, from_json
from groundwork.errors import UserError
from groundwork.untyped import Json, KerasLayer, Weights

FORMATS = ("keras", "savedmodel", "tflite", "npz")
_WEIGHTS = "model.weights.h5"
# What a model's layers are filed under, by the Keras of TensorFlow 2.14 and by today's.
_LAYERS_OF_2_14, _LAYERS = "_layer_checkpoint_dependencies", "layers"
# Zip entries carry a time; a fixed one makes equal models equal files.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Exported:
    path: Path
    bytes: int
    milliseconds: float | None
    """Median of one prediction here; None where the format computes nothing."""

    def __str__(self) -> str:
        speed = "" if self.milliseconds is None else f", {self.milliseconds:.2f} ms an example here"
        return f"{self.path}: {self.bytes / 1e6:.2f} MB{speed}"


class KerasFiles:
    """Plain `.keras` files of one model with any weights.

    Keras writes one of them; in the others its weights are replaced.
    """

    def __init__(
        self,
        build_model: Callable[[], tf.keras.Model],
        labels: Sequence[str],
        facts: Mapping[str, Json],
        lora: Adapters | None,
    ) -> None:
        model = build_model()
        trainable, others = weight_names.names(model)
        self._names = [*trainable, *others]
        self._lora = lora
        plain = portable(model, lora)
        numbered = named_weights(plain)
        for number, weight in enumerate(numbered):
            weight.variable.assign(np.full(weight.shape, number))
        self._parts = _parts(_archive(plain), labels, facts)
        with h5py.File(io.BytesIO(self._parts[_WEIGHTS]), "r") as file:
            # Keras names them by the kinds of layers and their order.
            self._places = {
                place: numbered[int(np.ravel(values)[0])].name
                for place, values in _datasets(file).items()
            }

    def write(self, weights: Weights, path: Path) -> None:
        arrays = [*weights.trainable, *weights.non_trainable]
        values = dict(zip(self._names, arrays, strict=True))
        if self._lora is not None:
            values = adapters.merged(values, self._lora.scale)
        content = io.BytesIO(self._parts[_WEIGHTS])
        with h5py.File(content, "r+") as file:
            for place, name in self._places.items():
                file[place][...] = values[name]
        files.write_bytes(path, _zipped({**self._parts, _WEIGHTS: content.getvalue()}))


def _datasets(file: h5py.File) -> dict[str, np.ndarray]:
    """Those that hold anything, by their place in the file."""
    found: dict[str, np.ndarray] = {}

    def look(place: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.size:
            found[place] = item[()]

    file.visititems(look)
    return found


def save_keras(
    model: tf.keras.Model,
    labels: Sequence[str],
    path: Path,
    facts: Mapping[str, Json] | None = None,
) -> None:
    """`.keras` is a zip: it holds labels and facts as files of their own, which Keras ignores."""
    files.write_bytes(path, _zipped(_parts(_archive(model), labels, facts)))


def _archive(model: tf.keras.Model) -> bytes:
    keras_versions.archives_in_this_thread()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def _parts(
    archive: bytes, labels: Sequence[str], facts: Mapping[str, Json] | None
) -> dict[str, bytes]:
    """Of the archive, and what is beside the model; without the date it was made on."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        parts = {name: file.read(name) for name in sorted(file.namelist())}
    kept = {"keras_version": from_json.text(parts["metadata.json"])["keras_version"]}
    parts["metadata.json"] = json.dumps(kept).encode()
    # Keras 2 reads the names that its modules had before it became the package tf_keras.
    parts["config.json"] = parts["config.json"].replace(b'"tf_keras.', b'"keras.')
    beside = {LABELS_FILE: list(labels)} | ({FACTS_FILE: facts} if facts else {})
    return parts | {name: json.dumps(value).encode() for name, value in beside.items()}


def _zipped(parts: Mapping[str, bytes]) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return result.getvalue()


def read_labels(path: Path) -> list[str]:
    """The labels inside a `.keras` file of ours; empty for a foreign one."""
    with zipfile.ZipFile(path) as archive:
        if LABELS_FILE not in archive.namelist():
            return []
        labels: list[str] = from_json.text(archive.read(LABELS_FILE))
        return labels


def load(run: Path, which: str) -> tuple[tf.keras.Model, list[str]]:
    """The `final` or `best` model of a finished run."""
    path = run / f"{which}.keras"
    if not path.exists():
        raise UserError(f"--run={run}: there is no {path.name}; is the run finished?")
    try:
        why = keras_parts.refusal(keras_parts.of_archive(path))
    except keras_parts.UNREADABLE:
        why = "it is not a .keras archive; other formats can hold code"
    if why is not None:
        raise UserError(f"{path}: refused, {why}")
    with _with_todays_names(path) as readable:
        return tf.keras.models.load_model(readable, compile=False), read_labels(path)


@contextlib.contextmanager
def _with_todays_names(path: Path) -> Iterator[Path]:
    """The file, or a renamed copy where TensorFlow 2.14 wrote it."""
    with zipfile.ZipFile(path) as archive:
        weights = io.BytesIO(archive.read(_WEIGHTS))
    with h5py.File(weights, "r+") as tree:
        if renamed := _LAYERS_OF_2_14 in tree:
            _rename_layers(tree)
    if not renamed:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
            for name in old.namelist():
                new.writestr(name, weights.getvalue() if name == _WEIGHTS else old.read(name))
        yield copy


def _rename_layers(group: h5py.Group) -> None:
    """Of the model and of every model within it."""
    for part in group.values():
        if isinstance(part, h5py.Group):
            _rename_layers(part)
    if _LAYERS_OF_2_14 in group:
        group.move(_LAYERS_OF_2_14, _LAYERS)


def export(
    run: Path,
    which: str,
    file_format: str,
    output: Path | None = None,
    head: Mapping[str, np.ndarray] | None = None,
) -> Exported:
    """Writes the model in another format and measures one prediction in it.

    `head`: tensors by name in the place of the run's own.
    """
    if file_format not in FORMATS:
        raise UserError(f"--format={file_format}: choose {', '.join(FORMATS)}")
    model, labels = load(run, which)
    changed = head or {}
    for weight in named_weights(model) if changed else ():
        if weight.name in changed:
            weight.variable.assign(changed[weight.name])
    path = output or run / _FILE_NAMES[file_format].format(f"{which}_calibrated" if head else which)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if file_format == "keras":
            return _keras(model, labels, path, own_facts.of_archive(str(run / f"{which}.keras")))
        return _WRITERS[file_format](model, labels, path)
    except OSError as error:
        raise UserError(f"--output={path}: cannot be written ({error.strerror})") from error


def _keras(
    model: tf.keras.Model, labels: Sequence[str], path: Path, facts: Mapping[str, Json]
) -> Exported:
    save_keras(model, labels, path, facts)
    return Exported(path, path.stat().st_size, _latency(tf.function(model), model))


def _npz(model: tf.keras.Model, labels: Sequence[str], path: Path) -> Exported:
    """Arrays by the names that checkpoints and starts use; `labels` beside them."""
    arrays = {weight.name: weight.variable.numpy() for weight in named_weights(model)}
    content = io.BytesIO()
    np.savez(content, labels=np.array(labels, np.str_), **arrays)
    files.write_bytes(path, content.getvalue())
    return Exported(path, path.stat().st_size, None)


def _saved_model(model: tf.keras.Model, labels: Sequence[str], path: Path) -> Exported:
    if path.exists():
        raise UserError(f"--output: {path} exists already; remove it or name another place")
    temporary = path.with_name(f"{files.TEMPORARY_PREFIX}{os.getpid()}-{path.name}")
    try:
        # Keras prints the temporary place.
        with contextlib.redirect_stdout(io.StringIO()):
            model.export(str(temporary))
        files.write_json(temporary / LABELS_FILE, list(labels))
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    loaded = tf.saved_model.load(str(path))  # its functions do not keep their variables alive
    return Exported(path, size, _latency(loaded.serve, model))


def _tflite(model: tf.keras.Model, labels: Sequence[str], path: Path) -> Exported:
    """One example at a time, so that recurrent layers become TFLite's own; labels beside it."""
    spec = _one_example(model)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    content = converter.convert()
    files.write_bytes(path, content)
    files.write_json(path.with_name(f"{path.stem}.{LABELS_FILE}"), list(labels))
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    slot = interpreter.get_input_details()[0]

    def invoke(x: tf.Tensor) -> None:
        interpreter.set_tensor(slot["index"], x.numpy())
        interpreter.invoke()

    return Exported(path, len(content), _latency(invoke, model))


_FILE_NAMES = {
    "keras": "{}.keras",
    "savedmodel": "{}_savedmodel",
    "tflite": "{}.tflite",
    "npz": "{}.npz",
}
_WRITERS = {"savedmodel": _saved_model, "tflite": _tflite, "npz": _npz}


def _one_example(model: tf.keras.Model) -> tf.TensorSpec:
    spec = model.inputs[0]
    return tf.TensorSpec([1, *spec.shape[1:]], spec.dtype)


def _latency(predict: Any, model: tf.keras.Model, repeats: int = 10) -> float:
    """Median milliseconds for one example."""
    spec = _one_example(model)
    x = tf.zeros(spec.shape, spec.dtype)
    predict(x)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        predict(x)
        times.append(time.perf_counter() - began)
    return float(np.median(times) * 1e3)


def class_names(task: Task) -> list[str]:
    """One name an output, in the order of the outputs; empty where nobody knows."""
    if task.label_names:
        return list(task.label_names)
    names = _entries(task.encoder)
    return names if len(names) == task.num_classes else []


def _entries(holder: KerasLayer) -> list[str]:
    if isinstance(holder, CharacterVocabulary):
        return list(holder.names())
    if isinstance(holder, WordVocabulary):
        return [LEAF_PADDING, *holder.words, "<OOV>", LEAF_BEGIN, LEAF_END]
    if isinstance(holder, BytePairs):
        return list(holder.pieces)
    # A language model's outputs are the entries that its inputs, or its target words, come from.
    inner = getattr(holder, "words", None) or getattr(holder, "vocabulary", None)
    return _entries(inner) if inner is not None else []


_PLAIN: dict[type, Any] = {
    KeyedDropout: tf.keras.layers.Dropout,
    GroupNorm: tf.keras.layers.GroupNormalization,
    LayerNorm: tf.keras.layers.LayerNormalization,
    **adapted_layers.PLAIN,
}


def portable(model: tf.keras.Model, lora: Adapters | None = None) -> tf.keras.Model:
    """A copy with the same layer names and weights, of Keras' own layers where we have a choice.

    Adapters are merged into their kernels.
    """
    copy = tf.keras.models.clone_model(model, clone_function=_plain)
    _copy_weights(model, copy, lora)
    return copy


def _copy_weights(model: tf.keras.Model, copy: tf.keras.Model, lora: Adapters | None) -> None:
    """By name: Keras lists what trains first, which may be another part of each layer."""
    values = {weight.name: weight.variable.numpy() for weight in named_weights(model)}
    if lora is not None:
        values = adapters.merged(values, lora.scale)
    for weight in named_weights(copy):
        weight.variable.assign(values[weight.name])


def _plain(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    copy = _PLAIN.get(type(layer), type(layer)).from_config(layer.get_config())
    copy._name = layer.name  # A subclassed model's configuration leaves its name out.
    return copy
