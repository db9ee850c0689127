"""Your own arrays, an example a row: --source=arrays --input=FILE.npz.

The file holds `x`, `y` and `client` (an id each row), and may hold `split` (train, validation or
test each row) and `label_names`. `fed_pretrain.clients(...)` writes such a file.
"""

import functools
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from data_prep.sources.items import Item, Record
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, input_files
from data_prep.store.features import MOST_LABELS, SPLITS, FeatureSpec
from groundwork import memory
from groundwork.errors import UserError, words_of
from groundwork.untyped import Json

ROWS_A_UNIT = 10_000
_NEEDED = ("x", "y", "client")


def _units(path: Path, rows: int) -> Iterator[WorkUnit]:
    """Slices; only the first stands for the file's bytes."""
    for start in range(0, rows, ROWS_A_UNIT):
        stop, size = min(start + ROWS_A_UNIT, rows), 0 if start else path.stat().st_size
        yield WorkUnit(f"{path.name}[{start}:]", str(path), start, stop, size, stop - start)


def _read(inputs: FeatureSpec, targets: FeatureSpec, unit: WorkUnit) -> Iterator[Item]:
    """The rows of the file in its order."""
    held = _arrays(unit.path, os.stat(unit.path).st_mtime_ns)
    splits = held.get("split")
    for row in range(unit.start, unit.stop or 0):
        x, y = held["x"][row].reshape(inputs.shape), held["y"][row]
        features = {inputs.name: x, targets.name: y if y.ndim else y.item()}
        split = str(splits[row]) if splits is not None else None
        yield Record(str(held["client"][row]), split, features, row)


def open_arrays(pattern: str, options: Mapping[str, str]) -> SourceReader:
    files = input_files(pattern)
    if len(files) != 1:
        raise UserError(f"--input={pattern}: one .npz file is wanted, {len(files)} are there")
    path = str(files[0])
    held = _arrays(path, os.stat(path).st_mtime_ns)
    problem = _problem(held)
    if problem is not None:
        raise UserError(f"--input={path}: {problem}")
    x, y = held["x"], held["y"]
    extra: dict[str, Json] = {"x_shape": list(x.shape[1:])}
    label_names = _label_names(held)
    if y.dtype.kind == "f":
        mean = y.mean(axis=0, dtype=np.float64)
        extra["y_mean"] = [float(one) for one in np.atleast_1d(mean).ravel()]
    elif label_names is None:
        extra["classes"] = int(max(x.max(initial=0) if x.dtype.kind == "i" else 0, y.max())) + 1
    splits = tuple(str(one) for one in np.unique(held.get("split", [])))
    features = _features(x, y)
    units, read = tuple(_units(files[0], len(x))), functools.partial(_read, *features)
    return SourceReader(features, units, read, label_names, extra, splits)


def _label_names(held: Mapping[str, np.ndarray]) -> tuple[str, ...] | None:
    """Of one class an example: the file's own, otherwise numbers up to the largest label."""
    y = held["y"]
    if y.dtype.kind == "f" or y.ndim > 1:
        return None
    if "label_names" in held:
        return tuple(str(name) for name in held["label_names"])
    return tuple(str(number) for number in range(int(y.max()) + 1))


def _features(x: np.ndarray, y: np.ndarray) -> tuple[FeatureSpec, FeatureSpec]:
    """Bytes of two or three axes are images; what has one class an example calls it `label`."""
    shape = tuple(x.shape[1:])
    if x.dtype == np.uint8 and len(shape) in (2, 3):
        inputs = FeatureSpec("image", "image", shape if len(shape) == 3 else (*shape, 1))
    else:
        inputs = FeatureSpec("x", "float32" if x.dtype.kind == "f" else "int64", shape)
    if y.dtype.kind != "f" and y.ndim == 1:
        return inputs, FeatureSpec("label", "int64")
    kind = "float32" if y.dtype.kind == "f" else "int64"
    return inputs, FeatureSpec("y", kind, tuple(y.shape[1:]))


def _problem(held: Mapping[str, np.ndarray]) -> str | None:
    """What of the arrays cannot be a dataset."""
    missing = [name for name in _NEEDED if name not in held]
    if missing:
        return f"it has no array {missing[0]!r}; x, y and client are wanted"
    flat = [name for name, array in held.items() if not array.ndim]
    if flat:
        return f"its {flat[0]!r} is one value, not an array of them"
    lengths = {name: len(held[name]) for name in (*_NEEDED, "split") if name in held}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{name} has {length:,}" for name, length in lengths.items())
        return f"its arrays have different numbers of rows: {told}"
    if not len(held["x"]):
        return "it holds no rows"
    for name in ("x", "y"):
        if held[name].dtype.kind not in "fiub":
            return f"{name} is of {held[name].dtype}; numbers are wanted"
        if held[name].dtype.kind == "f" and not np.isfinite(held[name]).all():
            row = int(np.argwhere(~np.isfinite(held[name]))[0][0])
            return f"{name} is NaN or infinite in row {row} (of client {held['client'][row]!s})"
    if held["y"].dtype.kind in "iub" and held["y"].min() < 0 and held["y"].ndim == 1:
        row = int(np.argmin(held["y"]))
        return f"the label in row {row} is {held['y'][row]}; labels count from 0"
    if held["y"].dtype.kind in "iub" and held["y"].max() >= MOST_LABELS:
        row = int(np.argwhere(held["y"] >= MOST_LABELS)[0][0])
        return f"a label in row {row} is {MOST_LABELS:,} or more: number the classes from 0"
    names = held.get("label_names")
    if names is not None and held["y"].ndim == 1 and held["y"].max() >= len(names):
        return f"a label is {held['y'].max()}, and label_names has {len(names)} names"
    odd = set(np.unique(held["split"]).tolist()) - set(SPLITS) if "split" in held else set()
    return f"split is {min(odd)!r} in some row; {', '.join(SPLITS)} are wanted" if odd else None


@functools.lru_cache(maxsize=2)
def _arrays(path: str, modified: int) -> Mapping[str, np.ndarray]:
    """Nothing in the file is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > memory.bytes_of_machine() // 2:
            raise ValueError(f"it unpacks to {size >> 30} GiB, more than half of the memory here")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: _plain(arrays[name]) for name in arrays.files}
    except Exception as error:  # A damaged archive can raise anything.
        raise UserError(
            f"--input={path}: is not an .npz file of plain arrays ({words_of(error)})"
        ) from error


def _plain(array: np.ndarray) -> np.ndarray:
    """The types that datasets hold."""
    if array.dtype.kind == "S":
        return array.astype(np.str_)
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype.kind == "b" or (array.dtype.kind in "iu" and array.dtype != np.uint8):
        return array.astype(np.int64)
    if array.dtype.kind == "U" and array.dtype.itemsize:
        points = np.ravel(array).astype(array.dtype.newbyteorder("=")).view(np.uint32)
        if (points > sys.maxunicode).any():
            raise ValueError("a text in it is no Unicode")
    return array


SOURCE = Source(
    name="arrays",
    summary="your own NumPy arrays x, y and client (an id each row) in one .npz file",
    open=open_arrays,
    input_summary="an .npz file",
)
