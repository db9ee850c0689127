"""Writes PyTorch files by hand, in both formats, without torch: the oracle is the format itself.

The classes stand in for torch's while pickling; the pickles then name torch's own.
"""

import collections
import io
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "int64": "LongStorage"}
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class _Global:
    """Pickles as the global MODULE.NAME of a program that has torch."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Tensor:
    def __init__(self, array: np.ndarray, key: str) -> None:
        self.array, self.key = array, key


class _Storage:
    def __init__(self, array: np.ndarray, key: str) -> None:
        self.array, self.key = array, key


class _Pickler(pickle._Pickler):  # the Python one, so that `save` can be extended
    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, _Storage):
            kind = _Global("torch", STORAGES[value.array.dtype.name])
            return ("storage", kind, value.key, "cpu", value.array.size)
        return None

    def save(self, value: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(value, _Global):
            self.write(b"c" + f"{value.module}\n{value.name}\n".encode())
            return None
        if isinstance(value, _Tensor):
            strides = tuple(step // value.array.itemsize for step in value.array.strides)
            arguments = (
                _Storage(value.array, value.key),
                0,
                value.array.shape,
                strides,
                False,
                collections.OrderedDict(),
            )
            self.save(_Global("torch._utils", "_rebuild_tensor_v2"))
            self.save(arguments)
            self.write(pickle.REDUCE)
            return None
        return super().save(value, save_persistent_id)


def _pickled(value: Any) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, protocol=2).dump(value)
    return stream.getvalue()


def _state_dict(tensors: Mapping[str, np.ndarray]) -> dict[str, _Tensor]:
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return collections.OrderedDict(
        (name, _Tensor(array, str(number))) for number, (name, array) in enumerate(arrays.items())
    )


def write_legacy(
    path: Path, tensors: Mapping[str, np.ndarray], more: Mapping[str, Any] | None = None
) -> None:
    state: dict[str, Any] = {**_state_dict(tensors), **(more or {})}
    system = {"protocol_version": PROTOCOL, "little_endian": sys.byteorder == "little"}
    written = [value for value in state.values() if isinstance(value, _Tensor)]
    keys = [tensor.key for tensor in written]
    parts = [_pickled(part) for part in (MAGIC, PROTOCOL, system, state, keys)]
    for tensor in written:
        parts += [struct.pack("<q", tensor.array.size), tensor.array.tobytes()]
    path.write_bytes(b"".join(parts))


def write_zip(
    path: Path,
    tensors: Mapping[str, np.ndarray],
    more: Mapping[str, Any] | None = None,
    wrapper: str | None = None,
) -> None:
    written = _state_dict(tensors)
    state: dict[str, Any] = {**written, **(more or {})}
    content = {wrapper: state, "epoch": 3} if wrapper else state
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", _pickled(content))
        archive.writestr("archive/byteorder", sys.byteorder)
        for tensor in written.values():
            archive.writestr(f"archive/data/{tensor.key}", tensor.array.tobytes())
        archive.writestr("archive/version", "3\n")


class Trap:
    """Its pickle would write a file if it were loaded carelessly."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.file}",)
