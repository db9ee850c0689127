"""Your own TFRecord files of tf.train.Example, with a named client feature."""

import functools
import struct
from collections.abc import Iterator, Mapping
from typing import IO

import numpy as np

from data_prep.sources.items import BadRecord
from data_prep.sources.own import columns, csv_and_jsonl
from data_prep.sources.parsing import compressed, fields, sqlite_examples
from data_prep.sources.parsing.table_rows import TableRow, position
from data_prep.sources.parsing.vocabulary import COUNTED
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, file_units, input_files
from data_prep.store import records
from groundwork.untyped import Feature

_LENGTH = struct.Struct("<QI")
_CRC = struct.Struct("<I")
LONGEST_RECORD = 256 << 20


def rows(unit: WorkUnit) -> Iterator[TableRow | BadRecord]:
    """Each example as a row; its `line` is its number in the file."""
    for number, content in enumerate(_records(unit.path)):
        if isinstance(content, BadRecord):
            yield content
            continue
        row = TableRow(unit.path, functools.partial(int, number + 1), position(unit, number), {})
        try:
            yield row._replace(values=_values(content))
        except fields.BadField as error:
            yield row.bad(error)


def _records(path: str) -> Iterator[bytes | BadRecord]:
    """The records with their checksums tested; damage ends the file: the next cannot be found."""
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
    if records.masked(header[:8]) != crc or length > LONGEST_RECORD:
        return None
    content, tail = file.read(length), file.read(_CRC.size)
    whole = len(content) == length and len(tail) == _CRC.size
    return content if whole and records.masked(content) == _CRC.unpack(tail)[0] else None


def _values(serialized: bytes) -> dict[str, Feature]:
    """Single values as themselves, several as arrays; bytes that are UTF-8 as text."""
    values: dict[str, Feature] = {}
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


def open_tfrecords(pattern: str, options: Mapping[str, str]) -> SourceReader:
    return csv_and_jsonl.opened(pattern, options, file_units(input_files(pattern)), rows)


SOURCE = Source(
    name="tfrecord",
    summary="your own TFRecord files of tf.train.Example with a client feature",
    open=open_tfrecords,
    vocabulary=COUNTED,
    input_summary="a file, folder or glob",
    options=columns.OPTIONS,
)
