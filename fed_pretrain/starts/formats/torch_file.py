"""PyTorch's files (.pth, .pt, .bin), zip and legacy, without torch and without running code."""

import collections
import dataclasses
import functools
import io
import math
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np

from fed_pretrain.starts.formats import zip_members
from fed_pretrain.starts.formats.source_file import ReadBudget, widen_bfloat16
from groundwork import unpickling
from groundwork.errors import UserError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_LEGACY_PROTOCOL = 1001
_MOST_DIMENSIONS = 64
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


@dataclasses.dataclass
class _Storage:
    kind: str
    key: str
    count: int
    values: np.ndarray | None = None

    @property
    def dtype(self) -> np.dtype:
        return np.dtype("<u2" if self.kind == "bfloat16" else self.kind)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self.count * self.dtype.itemsize

    def fill(self, content: bytes) -> None:
        if len(content) != self.size:
            raise ValueError(f"storage {self.key} has {len(content)} bytes, not {self.count} items")
        values = np.frombuffer(content, self.dtype)
        self.values = widen_bfloat16(values, self.kind == "bfloat16")


@dataclasses.dataclass
class _Tensor:
    """What a pickled tensor says: a view of a storage, in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        values = self.storage.values
        if values is None:
            raise ValueError(f"storage {self.storage.key} is missing")
        if math.prod(self.shape) == 0:
            return np.zeros(self.shape, values.dtype)
        steps = [(size - 1) * step for size, step in zip(self.shape, self.strides, strict=True)]
        if min((self.offset, *self.strides)) < 0 or self.offset + sum(steps) >= len(values):
            raise ValueError(f"a tensor of shape {self.shape} is outside its storage")
        view = np.lib.stride_tricks.as_strided(
            values[self.offset :],
            self.shape,
            tuple(step * values.itemsize for step in self.strides),
            writeable=False,
        )
        return np.ascontiguousarray(view).reshape(self.shape)


def read_zip(path: str) -> dict[str, np.ndarray]:
    """The format of torch 1.6 and later: data.pkl beside one member a storage."""
    storages: dict[str, _Storage] = {}
    budget = ReadBudget(path, os.path.getsize(path))
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        (pickled,) = [name for name in members if name.endswith("/data.pkl")]
        folder = pickled.removesuffix("data.pkl")
        if f"{folder}constants.pkl" in members:
            raise UserError(
                f"{path}: this is a TorchScript program, not weights: save model.state_dict()"
            )
        order = f"{folder}byteorder"
        if order in members and zip_members.read(archive, order, budget) != b"little":
            raise UserError(f"{path}: written on a big-endian machine, which is not supported")
        program = zip_members.read(archive, pickled, budget)
        content = _unpickle(io.BytesIO(program), path, storages)
        for storage in storages.values():
            member = f"{folder}data/{storage.key}"
            if archive.getinfo(member).file_size != storage.size:
                raise ValueError(f"{member} does not have {storage.count} items")
            storage.fill(zip_members.read(archive, member, budget))
        return _state_dict(content, path)


def read_legacy(path: str) -> dict[str, np.ndarray]:
    """The older format: five pickles in a row, then the storages' raw bytes."""
    storages: dict[str, _Storage] = {}
    budget = ReadBudget(path, os.path.getsize(path))
    with open(path, "rb") as file:
        plain: Callable[[], Any] = functools.partial(unpickling.load, file, {}, name=path)
        if plain() != LEGACY_MAGIC or plain() != _LEGACY_PROTOCOL:
            raise UserError(f"{path}: a PyTorch file of an unknown protocol")
        if not plain().get("little_endian", True):
            raise UserError(f"{path}: written on a big-endian machine, which is not supported")
        content = _unpickle(file, path, storages)
        for key in plain():
            (count,) = struct.unpack("<q", _exactly(file, 8))
            storage = storages[key]
            if count != storage.count:
                raise ValueError(f"storage {key} has {count} items, not {storage.count}")
            budget.take(storage.size)
            storage.fill(_exactly(file, storage.size))
        return _state_dict(content, path)


def _unpickle(file: IO[bytes], path: str, storages: dict[str, _Storage]) -> Any:
    def persistent_load(identity: Any) -> _Storage:
        tag, kind, key, _, count, *view = identity
        known = isinstance(kind, str) and kind in _STORAGES.values()
        if tag != "storage" or not known or (view and view[0] is not None):
            raise ValueError("it refers to something that is not a storage of numbers")
        if not isinstance(key, str | int) or not isinstance(count, int) or count < 0:
            raise ValueError("a storage has no proper key or count")
        return storages.setdefault(str(key), _Storage(kind, str(key), count))

    return unpickling.load(file, _allowed(), name=path, persistent_load=persistent_load)


def _allowed() -> dict[tuple[str, str], Any]:
    """All a state dict needs; storages become the name of their dtype, tensors our stand-in."""

    def rebuild_tensor(
        storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any
    ) -> _Tensor:
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without a storage")
        return _Tensor(storage, int(offset), sizes(shape), sizes(strides))

    def sizes(values: Any = ()) -> tuple[int, ...]:
        if not isinstance(values, list | tuple) or len(values) > _MOST_DIMENSIONS:
            raise ValueError("a shape is not a short list of numbers")
        return tuple(map(int, values))

    def ordered() -> dict[Any, Any]:
        return collections.OrderedDict()

    def rebuild_parameter(data: Any, *_: Any) -> Any:
        return data

    return {
        ("collections", "OrderedDict"): ordered,
        ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
        ("torch", "Size"): sizes,
        **{("torch", name): kind for name, kind in _STORAGES.items()},
    }


def _state_dict(content: Any, path: str) -> dict[str, np.ndarray]:
    """The tensors of a state dict, or of the one inside a training checkpoint."""
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: holds a {type(content).__name__}, not a state dict")
    found = {str(k): v for k, v in content.items() if isinstance(v, _Tensor)}
    budget = ReadBudget(path, os.path.getsize(path))
    for tensor in found.values():
        budget.take(8 * math.prod(tensor.shape))
    return {name.removeprefix("module."): tensor.array() for name, tensor in found.items()}


def _exactly(file: IO[bytes], count: int) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise EOFError("it ends before its last tensor")
    return content
