"""Your own TFRecord files of tf.train.Example, with a named client feature."""

import dataclasses
import struct
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np

from data_prep.sources import compressed, fields, own_columns, sqlite_examples
from data_prep.sources.base import BadRecord, Item, Source, WorkUnit, file_units, input_files
from data_prep.sources.lines import position
from data_prep.store import checksum
from data_prep.store.features import FeatureSpec

_LENGTH = struct.Struct("<QI")
_CRC = struct.Struct("<I")
LONGEST_RECORD = 1 << 30


@dataclasses.dataclass(frozen=True)
class Reader:
    """Examples by the client feature."""

    work: tuple[WorkUnit, ...]
    columns: own_columns.Columns
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        return self.columns.specs

    @property
    def label_names(self) -> tuple[str, ...] | None:
        return self.columns.label_names

    @property
    def natural(self) -> bool:
        return bool(self.columns.client)

    @property
    def splits(self) -> tuple[str, ...]:
        return own_columns.STORED_SPLITS if self.columns.split else ()

    def units(self) -> list[WorkUnit]:
        return list(self.work)

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        for number, content in enumerate(_records(unit.path)):
            if isinstance(content, BadRecord):
                yield content
                continue
            try:
                yield self.columns.record(_values(content), position(unit, number))
            except fields.BadField as error:
                yield BadRecord(error.reason, unit.path, number + 1, str(error))


def _records(path: str) -> Iterator[bytes | BadRecord]:
    """The records with their checksums tested; damage ends the file, for nothing tells the next."""
    number = 0
    try:
        with compressed.open_bytes(path) as file:
            while header := file.read(_LENGTH.size):
                number += 1
                content = _record(header, file)
                if content is None:
                    yield BadRecord("damaged_tfrecord", path, number, "cut off or checksum differs")
                    return
                yield content
    except compressed.TruncatedArchive as error:
        yield BadRecord("truncated_archive", path, number + 1, str(error))


def _record(header: bytes, file: IO[bytes]) -> bytes | None:
    if len(header) != _LENGTH.size:
        return None
    length, crc = _LENGTH.unpack(header)
    if checksum.masked(header[:8]) != crc or length > LONGEST_RECORD:
        return None
    content, tail = file.read(length), file.read(_CRC.size)
    whole = len(content) == length and len(tail) == _CRC.size
    return content if whole and checksum.masked(content) == _CRC.unpack(tail)[0] else None


def _values(serialized: bytes) -> dict[str, Any]:
    """Single values as themselves, several as arrays; bytes that are UTF-8 as text."""
    values: dict[str, Any] = {}
    for name, found in sqlite_examples.parse(serialized).items():
        if isinstance(found, np.ndarray):
            values[name] = found.item() if found.size == 1 else found
        elif len(found) == 1:
            values[name] = _text_or_bytes(found[0])
    return values


def _text_or_bytes(value: bytes) -> str | bytes:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def open_tfrecords(pattern: str, options: Mapping[str, str]) -> Reader:
    units = file_units(input_files(pattern))

    def values() -> Iterator[Mapping[str, Any]]:
        for unit in units:
            for content in _records(unit.path):
                if isinstance(content, bytes):
                    try:
                        yield _values(content)
                    except fields.BadField:
                        continue  # `read` reports it with its place

    columns = own_columns.columns(options, values(), pattern, all_rows=values())
    return Reader(tuple(units), columns)


SOURCE = Source(
    name="tfrecord",
    summary="your own TFRecord files of tf.train.Example with a client feature",
    open=open_tfrecords,
    input_summary="a file, folder or glob",
    options=own_columns.OPTIONS,
)
