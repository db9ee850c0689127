"""Hostile raw data, each a few kB at most: a source, its files, its options, why it is refused."""

import bz2
import gzip
import io
import json
import lzma
import os
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import py7zr
import zstandard
from PIL import Image

from data_prep.store import records
from tests.hostile.start_files import array_pickle, laughs

TIB = 1 << 40
Write = Callable[[Path], object]


class Case(NamedTuple):
    """`file` is written below a folder; `name` is what --input names, by default the same."""

    source: str
    file: str
    write: Write | bytes
    why: str
    options: dict[str, str] = {}  # noqa: RUF012
    name: str | None = None


ROWS = b"client_id,label,text\n" + b"".join(b"c%d,%d,hello\n" % (n % 3, n % 2) for n in range(9))
LINES = b"".join(b'{"client_id": "c%d", "label": %d}\n' % (n % 3, n % 2) for n in range(9))
LONG = b"".join(b'{"client_id": "c%d", "x": %d}\n' % (n % 3, n * n) for n in range(2000))
NO_CLIENT = {"client": ""}


def _csv(content: bytes, why: str, **options: str) -> Case:
    return Case("csv", "rows.csv", content, why, options)


def _jsonl(content: bytes, why: str, file: str = "rows.jsonl", **options: str) -> Case:
    return Case("jsonl", file, content, why, options)


def _row(**values: object) -> bytes:
    return json.dumps({"client_id": "a", **values}).encode() + b"\n"


def _middle_flipped(content: bytes) -> bytes:
    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 0x55
    return bytes(damaged)


def _zst(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


def _7z(**members: bytes) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(content, name)
    return out.getvalue()


def _tfrecord(content: bytes, *, length: int | None = None, tail: bytes = b"") -> bytes:
    head = struct.pack("<Q", len(content) if length is None else length)
    checks = struct.pack("<I", records.masked(head)), struct.pack("<I", records.masked(content))
    return head + checks[0] + content + checks[1] + tail


def _example(**values: object) -> bytes:
    from tensorflow.core.example.example_pb2 import Example

    example = Example()
    for name, value in values.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, float):
            feature.float_list.value.append(value)
        else:
            feature.int64_list.value.append(value)  # type: ignore[arg-type]
    return example.SerializeToString()


def _png(width: int = 4, height: int = 4) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


def png_that_declares(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(bytes(99)))
        + chunk(b"IEND", b"")
    )


def _pictures(**others: bytes) -> Write:
    """A sound picture, a listing of it, and other files."""

    def write(path: Path) -> None:
        (path.parent / "images" / "a" / "cat").mkdir(parents=True)
        (path.parent / "images" / "a" / "cat" / "1.png").write_bytes(_png())
        for name, content in others.items():
            (path.parent / "images" / name.replace("__", "/")).write_bytes(content)

    return write


def _listing(text: str) -> Write:
    return _pictures(**{"metadata.csv": text.encode()})


def _fifo(path: Path) -> None:
    (path.parent / "images" / "a" / "cat").mkdir(parents=True)
    os.mkfifo(path.parent / "images" / "a" / "cat" / "1.png")


def _enormous(path: Path) -> None:
    picture = path.parent / "images" / "a" / "cat" / "2.png"
    _pictures(**{"a__cat__2.png": _png()})(path)
    os.truncate(picture, 20 << 30)


def _sqlite(*statements: str) -> Write:
    def write(path: Path) -> None:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return write


_EXAMPLES = "CREATE TABLE examples (split_name TEXT, client_id TEXT, serialized_example_proto BLOB)"
_CLIENTS = "CREATE TABLE client_metadata (client_id TEXT, split_name TEXT, num_examples INTEGER)"
_ENDLESS = (
    "CREATE VIEW examples AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT i AS rowid, 'train' AS split_name, 'c' AS client_id, x'00' AS "
    "serialized_example_proto FROM n"
)
_TFF = [_EXAMPLES, _CLIENTS, "INSERT INTO client_metadata VALUES ('c', 'train', 1)"]


def npz(**arrays: object) -> bytes:
    """The arrays of clients, some of them in another way."""
    sound = {"x": np.eye(3), "y": [0, 1, 2], "client": ["a", "a", "b"]}
    content = io.BytesIO()
    np.savez(content, **{**sound, **arrays})  # type: ignore[arg-type]
    return content.getvalue()


def _npz_of_many_gigabytes() -> bytes:
    """Its list of members says 4 GiB of each of them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(256):
            archive.writestr(f"{number}.npy", b"")
            archive.filelist[-1].file_size = 0xFFFFFFFE
    return content.getvalue()


def _arrays(content: bytes, why: str) -> Case:
    return Case("arrays", "a.npz", content, why)


def _leaf(user_data: object) -> bytes:
    return json.dumps({"users": [], "user_data": user_data}).encode()


def _idx(magic: int, *sizes: int, body: bytes = b"") -> bytes:
    return struct.pack(f">{1 + len(sizes)}I", magic, *sizes) + body


def _idx_folder(images: bytes, labels: bytes) -> Write:
    def write(path: Path) -> None:
        folder = path.parent / "idx"
        folder.mkdir()
        for prefix in ("train", "t10k"):
            (folder / f"{prefix}-images-idx3-ubyte").write_bytes(images)
            (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(labels)

    return write


def _cifar_tar(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


_LAUGHING_XML = (
    b'<!DOCTYPE row [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><row Id='&j;'/>\n"
)
IMAGES = "images"

CASES: dict[str, Case] = {
    "an empty CSV": _csv(b"", "is empty"),
    "a CSV of a header": _csv(b"client_id,label\n", "no readable row"),
    "a CSV without its client column": _csv(b"a,b\n1,2\n", "client"),
    "a CSV of one column of 5000 digits": _csv(b"9" * 5000 + b"\n1\n", "no such column"),
    "a CSV with a column twice": _csv(b"client_id,a,a\nx,1,2\n", "there twice"),
    "a CSV column of Latin-1": _csv("client_id,größe\na,1\n".encode("latin-1"), "not UTF-8"),
    "a CSV row too short": _csv(ROWS + b"c,1\n", "rows.csv line 11: wrong_columns"),
    "a CSV row too long": _csv(ROWS + b"c,1,x,y\n", "wrong_columns"),
    "a CSV quote that never ends": _csv(ROWS + b'c,1,"x\n' + b"y\n" * 99, "malformed_csv"),
    "a CSV of UTF-16": _csv(ROWS.decode().encode("utf-16"), "is UTF-16"),
    "a CSV of UTF-16 without its mark": _csv(ROWS.decode().encode("utf-16-le"), "is UTF-16"),
    "a CSV of zeros": _csv(bytes(5000), "UTF-16 or no text"),
    "a CSV row of Latin-1": _csv(ROWS + "c,1,größer\n".encode("latin-1"), "not_utf8"),
    "a CSV label below zero": _csv(ROWS + b"c,1,x\n" * 1000 + b"c,-1,x\n", "label -1 is negative"),
    "a CSV label that is not a number": _csv(
        ROWS + b"c,1,x\n" * 1000 + b"c,x,y\n", "not a whole number but 'x'"
    ),
    "a CSV label beyond 64 bits": _csv(ROWS + b"c,99999999999999999999,x\n", "too big"),
    "a CSV label of ten thousand digits": _csv(ROWS + b"c,%s,x\n" % (b"9" * 10_000), "wrong_type"),
    "a CSV number that is none": _csv(
        b"client_id,x\n" + b"a,1.5\n" * 9 + b"a,nan\n", "wrong_value: feature 'x': a number is NaN"
    ),
    "a CSV number without end": _csv(b"client_id,x\n" + b"a,1.5\n" * 9 + b"a,inf\n", "infinite"),
    "a CSV number too large for float32": _csv(b"client_id,x\na,1.5\na,1e39\n", "too large"),
    "a CSV client without a name": _csv(ROWS + b",1,x\n", "is not a name"),
    "a CSV client of 2000 letters": _csv(ROWS + b"%s,1,x\n" % (b"c" * 2000), "2000 bytes"),
    "a CSV time that is none": _csv(b"client_id,t,x\na,soon,1\n", "is not a time", order="t"),
    "a CSV time without end": _csv(b"client_id,t,x\na,1e99,1\n", "is not a time", order="t"),
    "a CSV split that is none": _csv(b"client_id,s,x\na,holdout,1\n", "wrong_split", split="s"),
    "a CSV pixel below zero": _csv(
        b"client_id,p0\na,-1\n", "wrong_pixels", pixels="p", image_shape="1x1x1"
    ),
    "a CSV pixel of text": _csv(
        b"client_id,p0\na,x\n", "pixels are not all numbers", pixels="p", image_shape="1x1x1"
    ),
    "a CSV pixel that is none": _csv(
        b"client_id,p0\na,nan\n", "wrong_pixels", pixels="p", image_shape="1x1x1"
    ),
    "a CSV picture of another size": _csv(
        b"client_id,p0\na,1\n", "wrong_size", pixels="p", image_shape="9x9x1"
    ),
    "a CSV picture of TiB": _csv(
        b"client_id,p0\na,1\n", "at most", pixels="p", image_shape="999999x999999x9"
    ),
    "a CSV picture of no shape": _csv(b"client_id,p0\na,1\n", "like 28x28x1", pixels="p"),
    "a CSV picture of no column": _csv(b"client_id,p0\na,1\n", "no column", pixels="q"),
    "a CSV kept column that is not there": _csv(ROWS, "no such column", columns="nothing"),
    "a CSV delimiter that is none": _csv(ROWS, "is none of", delimiter="x"),
    "a CSV option that is none": _csv(ROWS, "has no option 'colour'", colour="red"),
    "a CSV of ten thousand and one labels": _csv(
        b"client_id,l\n" + b"".join(b"a,l%d\n" % n for n in range(10_001)), "more than 10,000",
        label="l",
    ),
    "a CSV line without end": Case(
        "csv", "rows.csv.gz", gzip.compress(ROWS + b"x" * (65 << 20), 1), "a line of more than"
    ),
    "a JSON line that is none": _jsonl(LINES + b"{\n", "rows.jsonl line 10: malformed_json"),
    "a JSON line of a list": _jsonl(LINES + b"[1]\n", "malformed_json: expected an object"),
    "a JSON line of brackets without end": _jsonl(LINES + b"[" * 50_000 + b"\n", "malformed_json"),
    "a JSON line of objects without end": _jsonl(LINES + b'{"a":' * 9999 + b"\n", "malformed_json"),
    "a JSON line of UTF-16": _jsonl(LINES.decode().encode("utf-16"), "is UTF-16"),
    "a JSON line of Latin-1": _jsonl(LINES + b'{"client_id": "\xe4"}\n', "not_utf8"),
    "a JSON field that is missing": _jsonl(LINES + b'{"client_id": "a"}\n', "missing_field"),
    "a JSON field of 5000 digits that is missing": _jsonl(
        _row(**{"9" * 5000: 1}) + _row(), "missing_field"
    ),
    "JSON of a column with a line break": _jsonl(b'{"a\\nb": 0}\n', r"of 'a\\nb'"),
    "a JSON client that is missing": _jsonl(LINES + b'{"label": 1}\n', "missing_field"),
    "a JSON client of a list": _jsonl(LINES + b'{"client_id": [1], "label": 1}\n', "is not a name"),
    "a JSON label of a half": _jsonl(LINES * 120 + _row(label=0.5), "not a whole number"),
    "a JSON label of text": _jsonl(LINES * 120 + _row(label="x"), "not a whole number"),
    "a JSON label of NaN": _jsonl(
        LINES * 120 + b'{"client_id": "a", "label": NaN}\n', "not a whole number but nan"
    ),
    "a JSON label of truth": _jsonl(LINES + _row(label=True), "wrong_type"),
    "a JSON number of NaN": _jsonl(_row(x=0.5) + b'{"client_id": "a", "x": NaN}\n', "is NaN"),
    "a JSON number of 1e999": _jsonl(_row(x=0.5) + b'{"client_id":"a","x":1e999}\n', "infinite"),
    "a JSON list that holds NaN": _jsonl(
        _row(x=[0.5, 1.5]) + b'{"client_id": "a", "x": [1, NaN]}\n', "is NaN"
    ),
    "a JSON list of another length": _jsonl(_row(x=[1, 2]) + _row(x=[1]), "wrong_size"),
    "a JSON list of lists of two lengths": _jsonl(_row(x=[[1], [1, 2]]), "not arrays of numbers"),
    "a JSON name that is half a letter": _jsonl(
        b'{"client_id": "a", "x\\udcdc": 1}\n', "is not UTF-8"
    ),
    "a JSON list of text": _jsonl(_row(x=["a"]), "not arrays of numbers"),
    "a JSON list in a list in a list": _jsonl(
        b'{"client_id":"a","x":' + b"[" * 90 + b"1" + b"]" * 90 + b"}\n", "not arrays|shape|dim"
    ),
    "JSON lines of nothing": _jsonl(b"\n\n\n", "no readable row"),
    "JSON lines of no file": Case("jsonl", "x", LINES, "no such file", name="nothing*"),
    "gzip cut short": _jsonl(gzip.compress(LONG)[:-300], "truncated_archive", "r.jsonl.gz"),
    "gzip with a flipped byte": _jsonl(
        _middle_flipped(gzip.compress(LONG)), "damaged", "r.jsonl.gz"
    ),
    "gzip with garbage behind it": _jsonl(
        gzip.compress(LONG) + b"garbage", "other bytes follow its end", "r.jsonl.gz"
    ),
    "gzip of a wrong checksum": _jsonl(
        gzip.compress(LONG)[:-8] + bytes(8), "damaged", "r.jsonl.gz"
    ),
    "zstandard cut short": _jsonl(_zst(LONG)[:-100], "is truncated", "r.jsonl.zst"),
    "zstandard with a flipped byte": _jsonl(
        _middle_flipped(_zst(LONG)), "damaged", "r.jsonl.zst"
    ),
    "zstandard with garbage behind it": _jsonl(
        _zst(LONG) + b"garbage", "other bytes follow its end", "r.jsonl.zst"
    ),
    "zstandard of its magic alone": _jsonl(b"\x28\xb5\x2f\xfd", "is truncated", "r.jsonl.zst"),
    "bzip2 cut short": _jsonl(bz2.compress(LONG)[:-100], "truncated", "r.jsonl.bz2"),
    "bzip2 with garbage behind it": _jsonl(
        bz2.compress(LONG) + b"garbage", "other bytes follow its end", "r.jsonl.bz2"
    ),
    "xz cut short": _jsonl(lzma.compress(LONG)[:-100], "is truncated", "r.jsonl.xz"),
    "xz with a flipped byte": _jsonl(
        _middle_flipped(lzma.compress(LONG)), "damaged", "r.jsonl.xz"
    ),
    "xz with garbage behind it": _jsonl(
        lzma.compress(LONG) + b"garbage", "other bytes follow its end", "r.jsonl.xz"
    ),
    "lzma that asks for 4 GiB of memory": _jsonl(
        b"]\x00\x00\x00\xf0" + b"\xff" * 8 + bytes(60), "damaged", "r.jsonl.lzma"
    ),
    "7z cut short": _jsonl(_7z(a=LONG)[:-50], "truncated or no 7z", "r.7z"),
    "7z with a flipped byte": _jsonl(_middle_flipped(_7z(a=LONG)), "damaged", "r.7z"),
    "7z of two files": _jsonl(_7z(a=LONG, b=LONG), "holds 2 files", "r.7z"),
    "7z with garbage behind it": _jsonl(_7z(a=LONG) + b"garbage", "other bytes", "r.7z"),
    "bzip2 with a flipped byte": _jsonl(
        _middle_flipped(bz2.compress(LONG)), "damaged", "r.jsonl.bz2"
    ),
    "gzip of UTF-16": _jsonl(
        gzip.compress(LINES.decode().encode("utf-16")), "is UTF-16", "r.jsonl.gz"
    ),
    "7z of UTF-16": _jsonl(_7z(a=LINES.decode().encode("utf-16-be")), "is UTF-16", "r.7z"),
    "a CSV of UTF-32": _csv(ROWS.decode().encode("utf-32"), "is UTF-32|UTF-16 or no text"),
    "posts of UTF-16": Case(
        "stackoverflow_dump", "Posts.xml", "<posts>\n</posts>".encode("utf-16"), "is UTF-16"
    ),
    "Pushshift of UTF-16": Case(
        "reddit_pushshift", "RC", LINES.decode().encode("utf-16"), "is UTF-16"
    ),
    "an export of UTF-16": Case(
        "stackoverflow_export", "a.csv", ROWS.decode().encode("utf-16"), "is UTF-16"
    ),
    "TFRecord with garbage behind it": Case(
        "tfrecord", "a", _tfrecord(_example(client_id=b"c", x=1), tail=b"garbage"), "cut off",
    ),
    "7z of its magic and noise": _jsonl(
        b"7z\xbc\xaf\x27\x1c" + bytes(range(200)), "truncated or no 7z", "r.7z"
    ),
    "TFRecord cut in a header": Case("tfrecord", "a", _tfrecord(b"x")[:5], "cut off"),
    "TFRecord cut in a record": Case(
        "tfrecord", "a", _tfrecord(_example(client_id=b"c", x=1)) + _tfrecord(b"x" * 99)[:50],
        "damaged_tfrecord",
    ),
    "TFRecord of TiB": Case("tfrecord", "a", _tfrecord(b"x", length=TIB), "cut off"),
    "TFRecord of a wrong checksum": Case(
        "tfrecord", "a", _tfrecord(_example(client_id=b"c", x=1)) + bytes(16) + b"xxxx",
        "damaged_tfrecord",
    ),
    "TFRecord of no example": Case("tfrecord", "a", _tfrecord(b"\xff" * 30), "no tf.train.Example"),
    "TFRecord without clients": Case("tfrecord", "a", _tfrecord(_example(x=1)), "no such column"),
    "TFRecord of a client that is not a text": Case(
        "tfrecord", "a", _tfrecord(_example(client_id=b"\xff\xfe", x=1)), "is not a name"
    ),
    "TFRecord of NaN": Case(
        "tfrecord", "a", _tfrecord(_example(client_id=b"c", x=float("nan"))), "is NaN"
    ),
    "TFRecord of a label below zero": Case(
        "tfrecord",
        "a",
        _tfrecord(_example(client_id=b"c", label=1)) * 1000
        + _tfrecord(_example(client_id=b"c", label=-5)),
        "label -5 is negative",
    ),
    "text of UTF-16": Case("text_files", "a.txt", "words\n".encode("utf-16"), "is UTF-16"),
    "text of Latin-1": Case("text_files", "a.txt", "größer\n".encode("latin-1"), "not_utf8"),
    "text of an unknown owner": Case("text_files", "a.txt", b"x\n", "none of", {"clients": "me"}),
    "pictures of no folder": Case("image_folder", IMAGES, b"x", "name the folder"),
    "pictures of an empty folder": Case(
        "image_folder", IMAGES, lambda p: p.mkdir(), r"wanted are client/label/\*\.png", NO_CLIENT
    ),
    "a picture that is text": Case(
        "image_folder", "x", _pictures(**{"a__cat__2.png": b"text"}), r"2\.png: .*is not an image",
        name=IMAGES,
    ),
    "pictures of which none is one": Case(
        "image_folder", "x", _pictures(**{"a__cat__1.png": b"text"}), "read .a/cat/1.png: it is no",
        name=IMAGES,
    ),
    "a picture cut short": Case(
        "image_folder", "x", _pictures(**{"a__cat__2.png": _png(40, 40)[:60]}), "unreadable_image",
        name=IMAGES,
    ),
    "a picture of another size": Case(
        "image_folder", "x", _pictures(**{"a__cat__2.png": _png(5, 5)}), "wrong_size", name=IMAGES
    ),
    "a picture of a billion pixels": Case(
        "image_folder", "x", _pictures(**{"a__cat__0.png": png_that_declares(65_000, 65_000)}),
        "65,000 x 65,000 pixels|unreadable", name=IMAGES,
    ),
    "a picture at a wrong place": Case(
        "image_folder", "x", _pictures(**{"1.png": _png()}), "wrong_path", name=IMAGES
    ),
    "a picture of 20 GiB": Case(
        "image_folder", "x", _enormous, "unreadable_image: it is larger than", name=IMAGES
    ),
    "a picture that is a pipe": Case("image_folder", "x", _fifo, "no image is there", name=IMAGES),
    "pictures enlarged to TiB": Case(
        "image_folder", "x", _pictures(), "at most", {"size": "999999x999999"}, IMAGES
    ),
    "pictures of no size": Case("image_folder", "x", _pictures(), "64x64", {"size": "0x0"}, IMAGES),
    "pictures of no layout": Case(
        "image_folder", "x", _pictures(), "name the folders", {"layout": "a/b"}, IMAGES
    ),
    "pictures of no listing": Case(
        "image_folder", "x", _pictures(), "no such file", {"metadata": "m.csv"}, IMAGES
    ),
    "a listing without a column": Case(
        "image_folder", "x", _listing("file_name,label\n"), "no column 'client_id'", name=IMAGES
    ),
    "a listing that leaves the folder": Case(
        "image_folder", "x",
        _listing("file_name,label,client_id\na/cat/1.png,a,b\n../x.png,a,b\n"), "leaves the folder",
        name=IMAGES,
    ),
    "a listing of /etc/passwd": Case(
        "image_folder", "x",
        _listing("file_name,label,client_id\na/cat/1.png,a,b\n/etc/passwd,a,b\n"), "leaves the",
        name=IMAGES,
    ),
    "a listing of nothing there": Case(
        "image_folder", "x", _listing("file_name,label,client_id\na.png,a,b\n"), "can be read",
        name=IMAGES,
    ),
    "a listing without a client": Case(
        "image_folder", "x", _listing("file_name,label,client_id\na/cat/1.png,a,b\nx.png,a,\n"),
        "names no client", name=IMAGES,
    ),
    "LEAF without its users": Case("femnist_leaf", "a.json", b"{}", "'user_data' is missing"),
    "LEAF cut short": Case("femnist_leaf", "a.json", b'{"user_data": {"a"', "malformed_json"),
    "LEAF of a list": Case("femnist_leaf", "a.json", b"[]", "malformed_json"),
    "LEAF of UTF-16": Case("femnist_leaf", "a.json", "{}".encode("utf-16"), "it is UTF-16"),
    "LEAF of brackets without end": Case(
        "femnist_leaf", "a.json", b'{"user_data":{"a":' + b"[" * 99_999, "malformed_json"
    ),
    "LEAF with text behind it": Case(
        "femnist_leaf", "a.json", b'{"user_data": {}} x', "text follows"
    ),
    "LEAF of a user without pictures": Case(
        "femnist_leaf", "a.json", _leaf({"u": {}}), "has no x and y"
    ),
    "LEAF of a user who is a list": Case("femnist_leaf", "a.json", _leaf({"u": [1]}), "no x and y"),
    "LEAF of fewer labels than pictures": Case(
        "femnist_leaf", "a.json", _leaf({"u": {"x": [1, 2], "y": [1]}}), "differ in length"
    ),
    "LEAF of small pictures": Case(
        "femnist_leaf", "a.json", _leaf({"u": {"x": [[1, 2]], "y": [1]}}), "784|pixels"
    ),
    "LEAF of pictures that are text": Case(
        "femnist_leaf", "a.json", _leaf({"u": {"x": ["a"], "y": [1]}}), "number|pixels|type"
    ),
    "LEAF of NaN": Case(
        "femnist_leaf", "a.json", _leaf({"u": {"x": [[float("nan")] * 784], "y": [1]}}), "pixel|NaN"
    ),
    "LEAF of a pixel of 400 digits": Case(
        "femnist_leaf", "a.json", _leaf({"u": {"x": [[10**400] * 784], "y": [1]}}), "pixels"
    ),
    "LEAF of a label that is none": Case(
        "femnist_leaf", "a.json", _leaf({"u": {"x": [[1.0] * 784], "y": [99]}}), "label"
    ),
    "LEAF of a label of text": Case(
        "femnist_leaf", "a.json", _leaf({"u": {"x": [[1.0] * 784], "y": ["x"]}}), "label|number"
    ),
    "LEAF's Reddit of numbers": Case(
        "reddit_leaf", "a.json", _leaf({"u": {"x": [1], "y": [1]}}), "list of sequences"
    ),
    "LEAF's Reddit of no time": Case(
        "reddit_leaf", "a.json", _leaf({"u": {"x": [[["a"] * 10]], "y": [{}]}}), "created_utc"
    ),
    "Pushshift without an author": Case("reddit_pushshift", "RC", b'{"body": "x"}\n', "'author'"),
    "Pushshift of no time": Case(
        "reddit_pushshift", "RC", b'{"author":"a","body":"x","created_utc":"soon"}\n', "not a time"
    ),
    "posts whose entities multiply": Case(
        "stackoverflow_dump", "Posts.xml", _LAUGHING_XML + b"</posts>", "document type"
    ),
    "posts cut short": Case(
        "stackoverflow_dump", "Posts.xml", b'<posts>\n<row Id="1"', "malformed_xml|truncated"
    ),
    "posts without an end": Case(
        "stackoverflow_dump", "Posts.xml", b"<posts>\n", "does not end in </posts>"
    ),
    "posts of no number": Case(
        "stackoverflow_dump", "Posts.xml", b"<row Id='x'/>\n</posts>", "not a whole number"
    ),
    "an export without its columns": Case(
        "stackoverflow_export", "a.csv", b"a,b\n1,2\n", "missing|field"
    ),
    "SQLite that is none": Case("femnist_tff", "a.sqlite", b"x" * 100, "is not an SQLite file"),
    "SQLite of its first bytes": Case(
        "femnist_tff", "a.sqlite", b"SQLite format 3\0" + bytes(200), "damaged or not an SQLite"
    ),
    "SQLite of another schema": Case(
        "femnist_tff", "a.sqlite", _sqlite("CREATE TABLE a (b)"), "Federated's schema"
    ),
    "SQLite of a damaged table with a line break": Case(
        "femnist_tff", "a.sqlite",
        _sqlite("CREATE TABLE a (b)", "PRAGMA writable_schema = ON",
                "UPDATE sqlite_master SET name = 'a' || char(10) || 'b', sql = 'none'"),
        r"malformed database schema \(a b\)",
    ),
    "SQLite whose table is a program without end": Case(
        "femnist_tff", "a.sqlite", _sqlite(_ENDLESS, _CLIENTS), "Federated's schema"
    ),
    "SQLite of a row beyond all rows": Case(
        "femnist_tff", "a.sqlite",
        _sqlite(*_TFF, "INSERT INTO examples (rowid, split_name) VALUES (1 << 60, 'train')"),
        "hold what they cannot",
    ),
    "SQLite of counts that are text": Case(
        "femnist_tff", "a.sqlite",
        _sqlite(_EXAMPLES, _CLIENTS, "INSERT INTO client_metadata VALUES ('c', NULL, 'many')"),
        "hold what they cannot",
    ),
    "SQLite of a split that is not a text": Case(
        "femnist_tff", "a.sqlite",
        _sqlite(_EXAMPLES, _CLIENTS,
                "INSERT INTO client_metadata VALUES ('c', CAST(x'ff' AS TEXT), 1)"), "damaged",
    ),
    "SQLite of a column that is computed": Case(
        "femnist_tff", "a.sqlite",
        _sqlite("CREATE TABLE examples (split_name TEXT, serialized_example_proto BLOB,"
                " client_id AS (hex(zeroblob(100000000))))", *_TFF[1:]), "are computed",
    ),
    "SQLite of a column called rowid": Case(
        "femnist_tff", "a.sqlite",
        _sqlite(_EXAMPLES.replace("(", "(RowID TEXT, "), *_TFF[1:],
                "INSERT INTO examples (RowID) VALUES ('x')"), "or named rowid",
    ),
    "arrays that are none": _arrays(b"PK" * 50, "is not an .npz file"),
    "arrays of one value": _arrays(npz(x=3.0), "'x' is one value"),
    "arrays of a label of two billions": _arrays(npz(y=[0, 1, 2_000_000_000]), "number the"),
    "arrays of a label below zero": _arrays(npz(y=[0, 1, -1]), "labels count from 0"),
    "arrays of objects": _arrays(npz(x=np.array([{}, 1, "x"])), "plain arrays"),
    "arrays of text": _arrays(npz(x=["1", "2", "3"]), "numbers are wanted"),
    "arrays of NaN": _arrays(npz(x=[[1.0], [np.nan], [1.0]]), "NaN or infinite in row 1"),
    "arrays of two lengths": _arrays(npz(y=[1, 2]), "different numbers of rows"),
    "arrays of clients that are not text": _arrays(npz(client=[b"\xff"] * 3), "plain arrays"),
    "arrays of numbers above those of letters": _arrays(
        npz(client=np.full(3, 0x110000, ">u4").view(">U1")), "no Unicode"
    ),
    "arrays of half a letter": _arrays(npz(client=["\ud800"] * 3), "is not text"),
    "arrays of an unknown split": _arrays(npz(split=["train", "dev", "test"]), "split is 'dev'"),
    "arrays of a terabyte": _arrays(_npz_of_many_gigabytes(), "it unpacks to 1023 GiB"),
    "SQLite without its rows": Case("femnist_tff", "a.sqlite", _sqlite(*_TFF), "is incomplete"),
    "SQLite of an example that is none": Case(
        "femnist_tff", "a.sqlite",
        _sqlite(*_TFF, "INSERT INTO examples VALUES ('train', 'c', x'ffff')"), "example|missing",
    ),
    "SQLite of an example that is text": Case(
        "femnist_tff", "a.sqlite",
        _sqlite(*_TFF, "INSERT INTO examples VALUES ('train', 'c', 'text')"), "example|missing",
    ),
    "SQLite of an example that is NULL": Case(
        "femnist_tff", "a.sqlite",
        _sqlite(*_TFF, "INSERT INTO examples VALUES ('train', 'c', NULL)"), "example|missing",
    ),
    "CIFAR-10 of nothing": Case("cifar10", "c.tar.gz", _cifar_tar("x", b""), "not CIFAR-10"),
    "CIFAR-10 of no archive": Case("cifar10", "c.tar.gz", b"x" * 999, "no tar archive|CIFAR"),
    "CIFAR-10 cut short": Case(
        "cifar10", "c.tar.gz", _cifar_tar("data_batch_1", bytes(9999))[:-20], "truncated"
    ),
    "CIFAR-10 that runs a program": Case(
        "cifar10", "data_batch_1", b"cos\nsystem\n(S'true'\ntR.", "not on the allow list"
    ),
    "CIFAR-10 that asks for TiB": Case(
        "cifar10", "data_batch_1", array_pickle((TIB,)), "declares"
    ),
    "CIFAR-10 of lists of lists": Case(
        "cifar10", "data_batch_1", b"\x80\x02" + laughs(12, b"]", b"l") + b".", "not a CIFAR-10"
    ),
    "CIFAR-10 of half a record": Case("cifar10", "data_batch_1.bin", bytes(5000), "is truncated"),
    "CIFAR-10 of a label that is none": Case(
        "cifar10", "data_batch_1.bin", b"\x4d" + bytes(3072), "is not 0 to 9"
    ),
    "IDX of nothing": Case("fashion_mnist", "x", _idx_folder(b"", b""), "an IDX file", name="idx"),
    "IDX of TiB": Case(
        "fashion_mnist", "x",
        _idx_folder(_idx(0x803, 1, 1 << 31, 1 << 31), _idx(0x801, 1, body=b"\0")), "at most",
        name="idx",
    ),
    "IDX of four thousand million pictures": Case(
        "fashion_mnist", "x",
        _idx_folder(_idx(0x803, 0xFFFFFFFF, 2, 2), _idx(0x801, 0xFFFFFFFF)), "is truncated",
        name="idx",
    ),
    "IDX of fewer labels than pictures": Case(
        "fashion_mnist", "x",
        _idx_folder(_idx(0x803, 2, 1, 1, body=b"ab"), _idx(0x801, 1, body=b"\0")), "differ in",
        name="idx",
    ),
    "IDX of a label that is none": Case(
        "fashion_mnist", "x",
        _idx_folder(_idx(0x803, 1, 1, 1, body=b"a"), _idx(0x801, 1, body=b"M")), "label 77",
        name="idx",
    ),
    "Tiny ImageNet of nothing": Case(
        "tiny_imagenet", "t", lambda p: p.mkdir(), "no wnids.txt there"
    ),
    "Tiny ImageNet of UTF-16": Case(
        "tiny_imagenet", "wnids.txt", "n01\n".encode("utf-16"), "UTF-8", name="."
    ),
}  # fmt: skip
