"""TensorFlow Federated's SQLite files: serialised tf.train.Example per row, read in row ranges."""

import contextlib
import dataclasses
import functools
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.sources.items import BadRecord, Item, Record
from data_prep.sources.parsing import compressed, fields
from data_prep.sources.source import SourceReader
from data_prep.sources.work_units import WorkUnit, input_files, slices
from data_prep.store.examples import varint
from data_prep.store.features import FeatureSpec
from groundwork.errors import NO_ROOM, UserError, of_system, words_of
from groundwork.files import replacing
from groundwork.progress import Progress
from groundwork.untyped import Feature, Json

ROWS_A_UNIT = 200_000
_HEADER = b"SQLite format 3\x00"
_LONGEST_VALUE = 256 << 20
_TABLES = ("examples", "client_metadata")
# What a column computes is a program of the file's, too.
_COMPUTED = "SELECT 1 FROM pragma_table_xinfo(?) WHERE hidden OR lower(name) = 'rowid'"


class StoredExample(NamedTuple):
    path: str
    number: int
    client_id: str
    split_name: str
    serialized: bytes

    def bad(self, error: fields.BadField) -> BadRecord:
        return BadRecord(error.reason, self.path, self.number, str(error))


@dataclasses.dataclass(frozen=True)
class Database:
    """An unpacked .sqlite file in TFF's schema."""

    path: str
    rows: int
    examples_by_split: Mapping[str, int]

    def reader(
        self,
        split_of: Mapping[str, str | None],
        features: tuple[FeatureSpec, ...],
        make: Callable[[Mapping[str, Feature]], dict[str, Feature]],
        **known: Json,
    ) -> SourceReader:
        """Reads the rows of the splits named; a client's order is the order of its rows.

        `rowid` is the table's own order, so each unit is one sequential read.
        """
        path = Path(self.path)
        whole = WorkUnit(path.name, self.path, size=path.stat().st_size)
        return SourceReader(
            features,
            tuple(slices(whole, self.rows + 1, ROWS_A_UNIT, first=1)),
            functools.partial(_read, split_of, make),
            splits=tuple(sorted(set(filter(None, split_of.values())))),
            **known,
        )


def _read(
    split_of: Mapping[str, str | None],
    make: Callable[[Mapping[str, Feature]], dict[str, Feature]],
    unit: WorkUnit,
) -> Iterator[Item]:
    def records(row: StoredExample) -> Iterator[Item]:
        features = make(parse(row.serialized))
        yield Record(row.client_id, split_of[row.split_name], features, row.number)

    marks = ",".join("?" * len(split_of))
    where = f"rowid >= ? AND rowid < ? AND split_name IN ({marks}) ORDER BY rowid"
    found = selected(unit.path, where, unit.start, unit.stop, *split_of)
    return fields.items(found, records)


def open_database(pattern: str) -> Database:
    """Opens a .sqlite or .sqlite.lzma file and checks that it is whole and of TFF's schema."""
    files = input_files(pattern)
    if len(files) > 1:
        wanted = [file for file in files if compressed.stem(file).endswith((".sqlite", ".db"))]
        plain = [file for file in wanted if compressed.kind(file) is None]
        files = plain or wanted
    if len(files) != 1:
        raise UserError(f"--input={pattern}: name one .sqlite or .sqlite.lzma file")
    path = unpacked(files[0])
    with _refusing_damage(path), contextlib.closing(_connect(path)) as connection:
        # A view would be a program of the file's, which need not end.
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '% VIRTUAL %'"
        tables = {row[0] for row in connection.execute(query)}
        if not {*_TABLES} <= tables:
            raise UserError(
                f"{path} is not in TensorFlow Federated's schema: it lacks the tables examples "
                f"and client_metadata (FedJAX's own SQLite files differ)"
            )
        if any(connection.execute(_COMPUTED, (name,)).fetchone() for name in _TABLES):
            raise UserError(f"{path}: its tables hold columns that are computed, or named rowid")
        rows = connection.execute("SELECT MAX(rowid) FROM examples").fetchone()[0] or 0
        totals = connection.execute(
            "SELECT split_name, SUM(num_examples) FROM client_metadata "
            "GROUP BY split_name ORDER BY split_name"
        ).fetchall()
        if not 0 <= rows <= path.stat().st_size or not all(
            isinstance(split, str) and isinstance(examples, int) for split, examples in totals
        ):
            raise UserError(f"{path} is damaged: its tables hold what they cannot")
    database = Database(
        path=str(path),
        rows=rows,
        examples_by_split={split: int(examples) for split, examples in totals},
    )
    announced = sum(database.examples_by_split.values())
    if announced > rows:
        raise UserError(
            f"{path} is incomplete: client_metadata announces {announced:,} examples, "
            f"{rows:,} are in it"
        )
    return database


def selected(path: str, where: str, *values: object) -> Iterator[StoredExample]:
    columns = "rowid, client_id, split_name, serialized_example_proto"
    with _refusing_damage(Path(path)), contextlib.closing(_connect(Path(path))) as connection:
        for row in connection.execute(f"SELECT {columns} FROM examples WHERE {where}", values):
            yield StoredExample(path, *row)


def unpacked(file: Path) -> Path:
    """The .sqlite file itself, or the one beside its .lzma archive, unpacked once."""
    kind = compressed.kind(file)
    if kind is None:
        with open(file, "rb") as opened:
            if opened.read(len(_HEADER)) != _HEADER:
                raise UserError(f"{file} is not an SQLite file")
        return file
    target = file.with_name(compressed.stem(file))
    if target.exists():
        return target
    progress = Progress(f"unpacking {file.name}")
    try:
        with compressed.open_bytes(file) as source, replacing(target) as out:
            done = 0
            while chunk := source.read(1 << 22):
                out.write(chunk)
                done += len(chunk)
                progress.update(done >> 20, "MB")
    except compressed.TruncatedArchive as error:
        raise UserError(f"{error}: download it again") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise UserError(of_system(error)) from error
        raise UserError(
            f"{target} cannot be written ({error.strerror}): unpack {file.name} where you may "
            "write (xz -d --format=auto) and name the .sqlite file"
        ) from error
    finally:
        progress.close()
    return target


def parse(serialized: bytes) -> Mapping[str, Feature]:
    """The features of one tf.train.Example as NumPy arrays and lists of bytes."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.example.example_pb2 import Example

    try:
        example = Example.FromString(serialized)
    except (DecodeError, TypeError) as error:
        raise fields.BadField("malformed_example", f"no tf.train.Example: {error}") from None
    found: dict[str, Feature] = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        if kind == "float_list":
            # A list in a message is slow to go through; its bytes are the array, behind a header.
            count = len(feature.float_list.value)
            packed, header = feature.float_list.SerializeToString(), 1 + len(varint(4 * count))
            found[name] = np.frombuffer(packed[header:], "<f4", count)
        elif kind == "int64_list":
            found[name] = np.array(feature.int64_list.value, dtype=np.int64)
        else:
            found[name] = list(feature.bytes_list.value)
    return found


def one(example: Mapping[str, Feature], name: str) -> Feature:
    """The single value of a scalar feature: an int, a float, or a UTF-8 string."""
    values = example.get(name)
    if values is None or len(values) == 0:
        raise fields.BadField("missing_field", f"the feature {name!r} is missing")
    if len(values) != 1:
        raise fields.BadField("wrong_type", f"the feature {name!r} holds {len(values)} values")
    value = values[0]
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise fields.BadField("not_utf8", f"the feature {name!r} is not UTF-8") from None
    return value.item()


def _connect(path: Path) -> sqlite3.Connection:
    # `immutable`: no locks and no journal beside the file, so a read-only folder will do.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    return connection


@contextlib.contextmanager
def _refusing_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged or not an SQLite file: {words_of(error)}") from error
