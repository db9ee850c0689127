"""Fashion-MNIST (or any IDX pair of its kind): four files of images and labels, train and t10k."""

import functools
import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from data_prep.sources.items import BadRecord, Item, Record
from data_prep.sources.parsing import compressed
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork import embedded_packages
from groundwork.errors import UserError

_CLASSES = "T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle_boot"
LABEL_NAMES = tuple(name.replace("_", " ") for name in _CLASSES.split())
_IMAGES_MAGIC, _LABELS_MAGIC = 0x00000803, 0x00000801
_PREFIXES = {"train": "train", "t10k": "test"}


def _read(labels: Mapping[str, str], shape: tuple[int, ...], unit: WorkUnit) -> Iterator[Item]:
    """Images in file order; there are no natural clients."""
    labels_path = labels[unit.path]
    with (
        compressed.open_bytes(unit.path) as images,
        compressed.open_bytes(labels_path) as label_file,
    ):
        count = _header(images, unit.path, _IMAGES_MAGIC)[0]
        _header(label_file, labels_path, _LABELS_MAGIC)
        for row in range(count):
            cut = f"is truncated: it ends in item {row + 1}"
            pixels = _exactly(images, math.prod(shape), unit.path, cut)
            label = _exactly(label_file, 1, labels_path, cut)[0]
            if label >= len(LABEL_NAMES):
                yield BadRecord("wrong_label", labels_path, row + 1, f"label {label} > 9")
                continue
            image = np.frombuffer(pixels, np.uint8).reshape(shape)
            yield Record(None, unit.split, {"image": image, "label": label}, row)


def _header(file: IO[bytes], path: str, magic: int) -> tuple[int, ...]:
    """The sizes in an IDX header; its last byte says how many there are."""
    dimensions = magic & 0xFF
    wrong = f"is not an IDX file of {'images' if dimensions == 3 else 'labels'}"
    found, *sizes = struct.unpack(
        f">{dimensions + 1}I", _exactly(file, 4 + 4 * dimensions, path, wrong)
    )
    if found != magic:
        raise UserError(f"{path} {wrong}")
    return tuple(sizes)


def _exactly(file: IO[bytes], size: int, path: str, otherwise: str) -> bytes:
    try:
        content = file.read(size)
    except compressed.TruncatedArchive as error:
        raise UserError(str(error)) from error
    if len(content) != size:
        raise UserError(f"{path} {otherwise}")
    return content


def open_idx(pattern: str, options: Mapping[str, str]) -> SourceReader:
    folder = Path(pattern) if pattern else embedded_packages.path("fashion_mnist")
    if not folder.is_dir():
        raise UserError(f"--input={pattern}: name the folder of the four *-ubyte(.gz) files")
    units, labels, shapes = [], {}, set()
    for prefix, split in _PREFIXES.items():
        images_path = _find(folder, f"{prefix}-images")
        labels_path = _find(folder, f"{prefix}-labels")
        count, height, width = _sizes(images_path, _IMAGES_MAGIC)
        if _sizes(labels_path, _LABELS_MAGIC)[0] != count:
            raise UserError(f"{images_path} and {labels_path.name} differ in their counts")
        shapes.add((height, width, 1))
        labels[str(images_path)] = str(labels_path)
        size = images_path.stat().st_size
        units.append(WorkUnit(split, str(images_path), size=size, examples=count, split=split))
    if len(shapes) != 1:
        raise UserError(f"{folder}: train and t10k images differ in size")
    shape = shapes.pop()
    return SourceReader(
        (FeatureSpec("image", "image", shape), FeatureSpec("label", "int64")),
        tuple(units),
        functools.partial(_read, labels, shape),
        LABEL_NAMES,
        {"background": 0},
        splits=tuple(_PREFIXES.values()),
        natural=False,
    )


def _find(folder: Path, start: str) -> Path:
    found = sorted(folder.glob(f"{start}*ubyte")) or sorted(folder.glob(f"{start}*ubyte.gz"))
    if not found:
        raise UserError(f"{folder} holds no {start}-idxN-ubyte(.gz)")
    return found[0]


def _sizes(path: Path, magic: int) -> tuple[int, ...]:
    with compressed.open_bytes(path) as file:
        return _header(file, str(path), magic)


SOURCE = Source(
    name="fashion_mnist",
    summary="Fashion-MNIST (70,000 grey pictures 28x28 of clothing), IDX files",
    open=open_idx,
    needs_input=False,
    input_summary="folder of the four IDX files; left out: the Debian package's folder",
)
