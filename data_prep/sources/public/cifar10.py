"""CIFAR-10 as published: the python or the binary version, as archive or unpacked."""

import contextlib
import io
import re
import tarfile
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from data_prep.sources.items import BadRecord, Item, Record
from data_prep.sources.parsing import compressed
from data_prep.sources.parsing.download import CIFAR10, input_or_download
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, file_units
from data_prep.store.features import FeatureSpec
from groundwork import unpickling
from groundwork.errors import UserError

_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"
LABEL_NAMES = tuple(_CLASSES.split())
_BATCH = re.compile(r"(?:data_batch_([1-9])|(test)_batch)(\.bin)?")
_PIXELS = 3 * 32 * 32
_BINARY_RECORD = 1 + _PIXELS
_ROWS = 1 << 20
_LARGEST_BATCH = 64 << 20
_TEST_BATCH = 6


def _read(unit: WorkUnit) -> Iterator[Item]:
    """Images in the published order; there are no natural clients."""
    try:
        with contextlib.closing(_batches(unit.path)) as batches:
            for name, file in batches:
                where = unit.path if name == Path(unit.path).name else f"{unit.path}:{name}"
                yield from _examples(name, file, where)
    except (tarfile.TarError, compressed.TruncatedArchive, EOFError) as error:
        raise UserError(f"{unit.path} is truncated or no tar archive: {error}") from error


def _batches(path: str) -> Generator[tuple[str, IO[bytes]], None, None]:
    """The batch files: a single one, or those of an archive, streamed."""
    if _BATCH.fullmatch(Path(path).name):
        with open(path, "rb") as file:
            yield Path(path).name, file
        return
    found = 0
    with (
        compressed.open_bytes(path) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for member in archive:
            name = Path(member.name).name
            content = archive.extractfile(member) if _BATCH.fullmatch(name) else None
            if content is not None:
                found += 1
                yield name, content
    if not found:
        raise UserError(f"{path} holds no data_batch_N and no test_batch: not CIFAR-10")


def _examples(name: str, file: IO[bytes], where: str) -> Iterator[Item]:
    match = _BATCH.fullmatch(name)
    assert match
    batch = int(match.group(1) or _TEST_BATCH)
    split = "test" if match.group(2) else "train"
    rows = _binary_rows(file, where) if match.group(3) else _pickled_rows(file, where)
    for row, (label, planes) in enumerate(rows):
        if not 0 <= label < len(LABEL_NAMES):
            yield BadRecord("wrong_label", where, row + 1, f"the label {label} is not 0 to 9")
            continue
        image = planes.reshape(3, 32, 32).transpose(1, 2, 0)
        features = {"image": np.ascontiguousarray(image), "label": label}
        yield Record(None, split, features, batch * _ROWS + row)


def _binary_rows(file: IO[bytes], where: str) -> Iterator[tuple[int, np.ndarray]]:
    row = 0
    while record := file.read(_BINARY_RECORD):
        row += 1
        if len(record) != _BINARY_RECORD:
            raise UserError(f"{where} is truncated: record {row} has {len(record)} of 3073 bytes")
        yield record[0], np.frombuffer(record, np.uint8, offset=1)


def _pickled_rows(file: IO[bytes], where: str) -> Iterator[tuple[int, np.ndarray]]:
    content = file.read(_LARGEST_BATCH + 1)
    if len(content) > _LARGEST_BATCH:
        raise UserError(f"{where} is not a CIFAR-10 batch: it is larger than any of them")
    batch = unpickling.load(
        io.BytesIO(content), unpickling.numpy_globals(), name=where, encoding="bytes"
    )
    data, labels = (
        (batch.get(b"data"), batch.get(b"labels")) if isinstance(batch, dict) else (None, None)
    )
    if (
        not isinstance(data, np.ndarray)
        or not isinstance(labels, list)
        or data.dtype != np.uint8
        or data.shape != (len(labels), _PIXELS)
        or not all(isinstance(label, int) for label in labels)
    ):
        raise UserError(
            f"{where} is not a CIFAR-10 batch: data (n, 3072) uint8 and n labels expected"
        )
    yield from zip(labels, data, strict=True)


def open_cifar10(pattern: str, options: Mapping[str, str]) -> SourceReader:
    path = Path(input_or_download(pattern, CIFAR10))
    if not path.exists():
        raise UserError(
            f"--input={pattern}: no such file; put cifar-10-python.tar.gz (or -binary) there, "
            "or use --input=download:FOLDER"
        )
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*_batch*") if _BATCH.fullmatch(file.name))
    if not files:
        files = sorted(path.glob("cifar-10-*.tar*"))[:1]
    if not files:
        raise UserError(
            f"--input={pattern}: no data_batch_N, test_batch or cifar-10-*.tar.gz there"
        )
    names = [file.name.removesuffix(".bin") for file in files]
    if len(set(names)) != len(names):
        raise UserError(f"--input={pattern}: {names[0]} is there twice: name one version's folder")
    features = (FeatureSpec("image", "image", (32, 32, 3)), FeatureSpec("label", "int64"))
    units, splits = tuple(file_units(files)), ("train", "test")
    return SourceReader(features, units, _read, LABEL_NAMES, splits=splits, natural=False)


SOURCE = Source(
    name="cifar10",
    summary="CIFAR-10 (60,000 colour photos 32x32, 10 classes), python or binary version",
    open=open_cifar10,
    input_summary="cifar-10-python.tar.gz or -binary.tar.gz, their folder, or download:FOLDER",
)
