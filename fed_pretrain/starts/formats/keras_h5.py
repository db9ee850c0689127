"""Keras' HDF5 files: whole models (.h5) and weights only, without building anything from them."""

import io
import math
import mmap
import os
import struct
import zlib
from collections.abc import Iterator

import h5py
import numpy as np

from fed_pretrain.starts import weight_names
from fed_pretrain.starts.formats.source_file import ReadBudget
from groundwork.errors import UserError

MAGIC = b"\x89HDF\r\n\x1a\n"
_DEFLATE = 1
_FILTERS = {_DEFLATE, 2, 3}  # with shuffle and Fletcher's checksum: all that h5py's gzip makes
_SLACK = 64
_HEAP = b"GCOL\x01"
_ENTRY = struct.Struct("<HxxxxxxQ")


def read(path: str) -> dict[str, np.ndarray]:
    """The tensors as LAYER/ATTRIBUTE (or LAYER/.../vars/N of the newer layout)."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        longest = _longest_text(content)
    with h5py.File(path, "r") as opened:
        return _tensors(opened, _Budget(path, os.path.getsize(path), longest))


def read_member(content: bytes, name: str) -> dict[str, np.ndarray]:
    """The same of a file inside an archive."""
    longest = _longest_text(content)
    with h5py.File(io.BytesIO(content), "r") as opened:
        return _tensors(opened, _Budget(name, len(content), longest))


class _Budget(ReadBudget):
    """`longest_text`: of the heaps, to each text of which any number of names may point."""

    def __init__(self, path: str, file_bytes: int, longest_text: int) -> None:
        super().__init__(path, file_bytes)
        self.longest_text = longest_text


def _longest_text(content: mmap.mmap | bytes) -> int:
    """In bytes, of all heaps; the HDF5 library never ends in one with a gap of size zero."""
    longest, at = 0, content.find(_HEAP)
    while at >= 0:
        (size,) = struct.unpack_from("<Q", content, at + 8) if at + 16 <= len(content) else (0,)
        end = min(at + size, len(content))
        entry = at + 16
        while entry + _ENTRY.size <= end:
            index, length = _ENTRY.unpack_from(content, entry)
            if not index and not length:
                raise ValueError("a heap of texts is damaged")
            longest = max(longest, length if index else 0)
            entry += length if not index else _ENTRY.size + -(-length // 8) * 8
        at = content.find(_HEAP, at + 1)
    return longest


def _tensors(opened: h5py.File, budget: _Budget) -> dict[str, np.ndarray]:
    datasets = _datasets(opened, budget.path)
    root = opened.get("model_weights", opened)
    if "layer_names" in root.attrs or "layer_names0" in root.attrs:
        return dict(_layers(root, budget))
    prefix = f"{root.name}/" if root.name != "/" else "/"
    return {
        path.removeprefix(prefix): _values(dataset, budget)
        for path, dataset in datasets.items()
        if path.startswith(prefix) and dataset.dtype.kind in "fiub"
    }


def _layers(root: h5py.Group, budget: _Budget) -> Iterator[tuple[str, np.ndarray]]:
    """The classic layout: an attribute lists the layers, each layer lists its weights."""
    for layer in _strings(root.attrs, "layer_names", budget):
        group = root[layer]
        paths = _strings(group.attrs, "weight_names", budget)
        for name, path in zip(weight_names.canonical(layer, paths), paths, strict=True):
            yield name, _values(group[path], budget)


def _values(dataset: h5py.Dataset, budget: ReadBudget) -> np.ndarray:
    """The numbers, once it is known that reading them takes no more than they declare."""
    if dataset.dtype.kind not in "fiub":
        raise ValueError(f"{dataset.name} holds no numbers")
    budget.take(math.prod(dataset.shape) * dataset.dtype.itemsize)
    if dataset.chunks is not None:
        _check_chunks(dataset, math.prod(dataset.chunks) * dataset.dtype.itemsize, budget)
    values: np.ndarray = dataset[()]
    return values


def _check_chunks(dataset: h5py.Dataset, size: int, budget: ReadBudget) -> None:
    """HDF5 itself inflates a chunk to whatever its bytes come to."""
    budget.take(size)
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
    if not set(filters) <= _FILTERS or filters.count(_DEFLATE) > 1:
        raise ValueError(f"{dataset.name} is compressed in a way that Keras never does")
    if _DEFLATE not in filters:
        return
    for number in range(dataset.id.get_num_chunks()):
        offset = dataset.id.get_chunk_info(number).chunk_offset
        unpacked = zlib.decompressobj()
        unpacked.decompress(dataset.id.read_direct_chunk(offset)[1], size + _SLACK)
        if unpacked.unconsumed_tail:
            budget.take(budget.limit + 1)


def _strings(attributes: h5py.AttributeManager, key: str, budget: _Budget) -> list[str]:
    """Keras splits lists over 64 kB into KEY0, KEY1, ..."""
    if key in attributes:
        parts = list(_attribute(attributes, key, budget))
    else:
        parts = []
        while f"{key}{(number := len(parts))}" in attributes:
            parts.append(_attribute(attributes, f"{key}{number}", budget))
        parts = [text for part in parts for text in part]
    return [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in parts]


def _attribute(attributes: h5py.AttributeManager, key: str, budget: _Budget) -> np.ndarray:
    """An attribute is all in the file: one that declares more would be read for ever."""
    declared = attributes.get_id(key)
    count = math.prod(declared.shape)
    if count * declared.dtype.itemsize > budget.file_bytes:
        raise ValueError(f"the attribute {key!r} declares more than the file holds")
    if count and not h5py.check_string_dtype(declared.dtype):  # of others the library may fall over
        raise ValueError(f"the attribute {key!r} holds no texts")
    budget.check(count * budget.longest_text)
    values: np.ndarray = attributes[key]
    budget.take(sum(map(len, values)) if values.dtype.kind == "O" else values.nbytes)
    return values


def _datasets(root: h5py.Group, name: str) -> dict[str, h5py.Dataset]:
    """Every dataset by its path; a group that holds itself is gone through once.

    Links, raw storage and virtual datasets would make HDF5 open other files of this machine.
    """
    found: dict[str, h5py.Dataset] = {}
    seen = {root}
    left = [root]
    while left:
        group = left.pop()
        for key in group:
            if isinstance(group.get(key, getlink=True), h5py.ExternalLink):
                raise UserError(f"{name}: refused, its entry {key!r} is a link to another file")
            item = group.get(key)
            if item is None or item in seen:
                continue
            seen.add(item)
            if isinstance(item, h5py.Group):
                left.append(item)
            elif isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise UserError(f"{name}: refused, the values of {key!r} are in another file")
                found[item.name] = item
    return dict(sorted(found.items()))
