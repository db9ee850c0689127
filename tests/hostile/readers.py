"""The readers of what others wrote, each with a small sound file that `fuzz` changes at random."""

import bz2
import dataclasses
import gzip
import hashlib
import io
import json
import lzma
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np

from data_prep.grouping import reading
from data_prep.preparing import preparation, request
from data_prep.preparing.preparation import PrepareConfig
from data_prep.store import manifest
from data_prep.store.reader import open_dataset
from fed_pretrain.starts.formats import detect, keras_zip
from fed_pretrain.tasks import keras_file
from groundwork import array_file
from pipelines.plan import plan as plans
from tests.fed_pretrain.starts.torch_files import write_legacy, write_zip
from tests.hostile import data_files, start_files

_ARRAYS: dict[str, np.ndarray] = {
    "a/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a/bias": np.ones(3),
}
_TEXTS = {"a": data_files.LINES}
Write = Callable[[Path], object]


@dataclasses.dataclass(frozen=True)
class Reader:
    """`parser`: whose code goes through the bytes; `read` takes them and an empty folder."""

    parser: str
    sound: Callable[[], bytes]
    read: Callable[[bytes, Path], object]


def _written(write: Write, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def _start(parser: str, name: str, write: Write, seal: Callable[[bytes], bytes] = bytes) -> Reader:
    """`seal`: what makes the changed bytes whole again, such as a checksum behind them."""

    def read(content: bytes, folder: Path) -> object:
        (folder / name).write_bytes(seal(content))
        return detect.read(str(folder / name))

    return Reader(parser, lambda: _written(write, name), read)


def _data(parser: str, source: str, name: str, content: bytes, given: str = "") -> Reader:
    """`given`: what --input names in the folder, by default the file."""

    def read(changed: bytes, folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(changed)
        options = {"partition": "iid", "num_clients": 1} if source == "cifar10" else {}
        read_data(
            PrepareConfig(
                source,
                str(folder / "out"),
                input=str(folder / (given or name)),
                max_bad_records=10,
                **options,  # type: ignore[arg-type]
            ),
            folder,
        )

    return Reader(parser, lambda: content, read)


def read_data(config: PrepareConfig, staging: Path) -> None:
    """All that reads the input, as a worker of the pipeline does it."""
    opened = preparation.open_source(config)
    job = preparation.make_job(opened, staging, {"extra": {}})
    for task in request.pack_tasks(opened.reader):
        for _ in reading.TaskReader(job, task, reading.READ).read():
            pass


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"a"]
        layer = file.create_group("a")
        layer.attrs["weight_names"] = [b"a/kernel:0"]
        layer.create_dataset("a/kernel:0", data=_ARRAYS["a/kernel"], chunks=True, compression=1)


def _keras_archive(path: Path) -> None:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = _ARRAYS["a/kernel"]
    layer = {"class_name": "Dense", "config": {"name": "head"}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(keras_zip.CONFIG, json.dumps({"config": {"layers": [layer]}}))
        archive.writestr(keras_zip.WEIGHTS, weights.getvalue())


def _unsealed_checkpoint(path: Path) -> None:
    named = {f"model/trainable/{name}": value for name, value in _ARRAYS.items()}
    array_file.save(path, {"round": 3}, named)
    path.write_bytes(path.read_bytes()[:-32])


def _sealed_checkpoint(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()


def _records(*examples: bytes) -> bytes:
    return b"".join(data_files._tfrecord(example) for example in examples)


def _examples() -> list[bytes]:
    return [data_files._example(client_id=b"c", label=n, x=n / 2) for n in range(5)]


def _read_example(changed: bytes, folder: Path) -> None:
    """In a sound frame, behind a sound one."""
    whole = _records(_examples()[0], changed)
    DATA["TFRecord"].read(whole, folder)


def _described_model() -> bytes:
    import tensorflow as tf

    layers = [tf.keras.Input((4,)), tf.keras.layers.Dense(3, "relu"), tf.keras.layers.Dropout(0.1)]
    return tf.keras.Sequential(layers).to_json().encode()


def _read_model(content: bytes, folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.keras", "w") as archive:
        archive.writestr(keras_zip.CONFIG, content)
    keras_file.read(folder / "a.keras")


def _read_plan(content: bytes, folder: Path) -> None:
    (folder / "plan.yaml").write_bytes(content)
    plans.load(str(folder / "plan.yaml"))


def _prepared() -> dict[str, bytes]:
    """The files of a small dataset, by name."""
    with tempfile.TemporaryDirectory() as folder:
        rows, output = Path(folder) / "rows.csv", Path(folder) / "dataset"
        rows.write_bytes(data_files.ROWS)
        preparation.prepare(PrepareConfig("csv", str(output), input=str(rows), shards=1))
        return {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}


_INDEX = "train.clients.parquet"


def _read_dataset(files: Mapping[str, bytes], folder: Path) -> None:
    """With checksums that fit, as somebody may have written them who means harm."""
    described = files[manifest.FILE_NAME]
    try:
        value = json.loads(described)
        stored = value["splits"]["train"]["index"]
        stored["sha256"] = hashlib.sha256(files[_INDEX]).hexdigest()
        stored["bytes"] = len(files[_INDEX])
        time = value["created"].partition(" ")[0]
        check = manifest._check(value["command"], value["versions"], time)
        value["created"] = f"{time} {check}"
        value["fingerprint"] = manifest.fingerprint(value)
        described = manifest._text(value).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    for name, content in (*files.items(), (manifest.FILE_NAME, described)):
        (folder / name).write_bytes(content)
    opened = open_dataset(folder)
    for split in opened.splits:
        found = opened.index(split)
        assert found.label_counts is None or len(found.label_counts) == len(found)
        for client in found.client_ids:
            opened.read_records(split, client)


_dataset: dict[str, bytes] = {}


def _of_dataset(parser: str, name: str) -> Reader:
    def sound() -> bytes:
        if not _dataset:
            _dataset.update(_prepared())
        return _dataset[name]

    def read(content: bytes, folder: Path) -> None:
        _read_dataset({**_dataset, name: content}, folder)

    return Reader(parser, sound, read)


STARTS: Mapping[str, Reader] = {
    "HDF5": _start("ours, then HDF5", "a.h5", _hdf5),
    "Keras archive": _start("zipfile, then HDF5", "a.keras", _keras_archive),
    "npz": _start("zipfile, ours", "a.npz", lambda path: np.savez_compressed(path, **_ARRAYS)),
    "pickle": _start("ours", "a.pkl", lambda path: path.write_bytes(pickle.dumps(_ARRAYS, 2))),
    "torch": _start("zipfile, ours", "a.pth", lambda path: write_zip(path, _ARRAYS)),
    "legacy torch": _start("ours", "a.pth", lambda path: write_legacy(path, _ARRAYS)),
    "safetensors": _start(
        "ours",
        "a.safetensors",
        start_files.safetensors(
            {"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}, bytes(16)
        ),
    ),
    "checkpoint of a run": _start("ours", "a.ckpt", _unsealed_checkpoint, _sealed_checkpoint),
}
DATA: Mapping[str, Reader] = {
    "CSV": _data("ours", "csv", "a.csv", data_files.ROWS),
    "JSON lines": _data("json, ours", "jsonl", "a.jsonl", data_files.LINES),
    "gzip": _data("gzip", "jsonl", "a.jsonl.gz", gzip.compress(data_files.LINES)),
    "bzip2": _data("bz2", "jsonl", "a.jsonl.bz2", bz2.compress(data_files.LINES)),
    "xz": _data("lzma", "jsonl", "a.jsonl.xz", lzma.compress(data_files.LINES)),
    "zstandard": _data("zstandard", "jsonl", "a.jsonl.zst", data_files._zst(data_files.LINES)),
    "7z": _data("py7zr", "jsonl", "a.7z", data_files._7z(**_TEXTS)),
    "TFRecord": _data("ours", "tfrecord", "a.tfrecord", _records(*_examples())),
    "LEAF": _data(
        "ours", "femnist_leaf", "a.json", data_files._leaf({"u": {"x": [[1.0] * 784], "y": [3]}})
    ),
    "Pushshift": _data(
        "json, ours",
        "reddit_pushshift",
        "RC",
        b'{"author":"a","body":"x y","created_utc":"1514764800","subreddit":"s","score":1}\n' * 3,
    ),
    "posts": _data(
        "expat, ours",
        "stackoverflow_dump",
        "Posts.xml",
        b"<posts>\n<row Id='1' PostTypeId='1' OwnerUserId='3' CreationDate='2018-01-01T00:00:00' "
        b"Score='1' Body='&lt;p&gt;a b c.&lt;/p&gt;' Title='t' Tags='&lt;x&gt;'/>\n</posts>",
    ),
    "CIFAR-10": _data(
        "ours",
        "cifar10",
        "data_batch_1",
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [3]}, 2),
    ),
    "SQLite": _data(
        "sqlite3",
        "femnist_tff",
        "a.sqlite",
        _written(
            data_files._sqlite(
                *data_files._TFF, "INSERT INTO examples VALUES ('train', 'c', x'0a00')"
            ),
            "a.sqlite",
        ),
    ),
    "arrays": _data("zipfile, NumPy", "arrays", "a.npz", data_files.npz()),
    "picture": _data("Pillow", "image_folder", "i/a/cat/1.png", data_files._png(), given="i"),
}
READERS: Mapping[str, Reader] = {
    **STARTS,
    **DATA,
    "tf.train.Example": Reader("ours", lambda: _examples()[1], _read_example),
    "plan": Reader("PyYAML, ours", (plans.PLANS_FOLDER / "quickstart.yaml").read_bytes, _read_plan),
    "Keras description": Reader("ours, then Keras", _described_model, _read_model),
    "manifest": _of_dataset("json, ours", manifest.FILE_NAME),
    "client index": _of_dataset("pyarrow", _INDEX),
}
