"""Keras' HDF5 files: whole models (.h5) and weights only, without building anything from them."""

from collections.abc import Iterator
from typing import IO, Any

import h5py
import numpy as np

from fed_pretrain.starts import weight_names
from groundwork.errors import UserError

MAGIC = b"\x89HDF\r\n\x1a\n"


def read(path: str) -> dict[str, np.ndarray]:
    """The tensors as LAYER/ATTRIBUTE (or LAYER/.../vars/N of the newer layout)."""
    return read_opened(path, path)


def read_opened(file: str | IO[bytes], name: str) -> dict[str, np.ndarray]:
    try:
        with h5py.File(file, "r") as opened:
            _refuse_links(opened, name)
            root = opened.get("model_weights", opened)
            if "layer_names" in root.attrs or "layer_names0" in root.attrs:
                return dict(_layers(root))
            return dict(_datasets(root))
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{name}: cannot be read as HDF5, it is damaged or truncated ({_first_line(error)})"
        ) from error


def _layers(root: h5py.Group) -> Iterator[tuple[str, np.ndarray]]:
    """The classic layout: an attribute lists the layers, each layer lists its weights."""
    for layer in _strings(root.attrs, "layer_names"):
        group = root[layer]
        paths = _strings(group.attrs, "weight_names")
        for name, path in zip(weight_names.canonical(layer, paths), paths, strict=True):
            yield name, group[path][()]


def _datasets(root: h5py.Group) -> list[tuple[str, np.ndarray]]:
    """Any other layout: every dataset under its own path."""
    found: list[tuple[str, np.ndarray]] = []

    def keep(path: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((path, item[()]))

    root.visititems(keep)
    return found


def _strings(attributes: Any, key: str) -> list[str]:
    """Keras splits lists over 64 kB into KEY0, KEY1, ..."""
    if key in attributes:
        parts = list(attributes[key])
    else:
        parts = []
        while f"{key}{(number := len(parts))}" in attributes:
            parts.append(attributes[f"{key}{number}"])
        parts = [text for part in parts for text in part]
    return [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in parts]


def _refuse_links(group: h5py.Group, name: str) -> None:
    """Links, raw storage and virtual datasets would make HDF5 open other files of this machine."""
    for key in group:
        if isinstance(group.get(key, getlink=True), h5py.ExternalLink):
            raise UserError(f"{name}: refused, its entry {key!r} is a link to another file")
        item = group.get(key)
        if isinstance(item, h5py.Group):
            _refuse_links(item, name)
        elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            raise UserError(f"{name}: refused, the values of {key!r} are in another file")


def _first_line(error: Exception) -> str:
    return str(error).strip("'\"").splitlines()[0] if str(error) else type(error).__name__
