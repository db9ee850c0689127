"""Small sound files, changed at random: a reader gives what is there, or refuses in one sentence.

The slow ones try for FED_PRETRAIN_FUZZ_SECONDS each (600 unless set), in their own process: a
library that falls over ends that process and not the tests.
"""

import bz2
import gzip
import io
import lzma
import multiprocessing
import os
import pickle
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_prep.grouping import reading
from data_prep.preparing import preparation, request
from data_prep.preparing.preparation import PrepareConfig
from fed_pretrain.starts.formats import detect
from fed_pretrain.tasks import keras_file
from groundwork.errors import UserError
from pipelines.plan import plan as plans
from tests.fed_pretrain.starts.torch_files import write_legacy, write_zip
from tests.hostile import data_files, start_files
from tests.hostile.bounds import bounded

SECONDS = float(os.environ.get("FED_PRETRAIN_FUZZ_SECONDS", "600"))
_ARRAYS = {"a/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "a/bias": np.ones(3)}
Write = Callable[[Path], object]


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"a"]
        layer = file.create_group("a")
        layer.attrs["weight_names"] = [b"a/kernel:0"]
        layer.create_dataset("a/kernel:0", data=_ARRAYS["a/kernel"], chunks=True, compression=1)


def _tfrecord() -> bytes:
    examples = [data_files._example(client_id=b"c", label=n, x=n / 2) for n in range(5)]
    return b"".join(data_files._tfrecord(example) for example in examples)


STARTS: dict[str, tuple[str, Write]] = {
    "HDF5": ("a.h5", _hdf5),
    "npz": ("a.npz", lambda path: np.savez_compressed(path, **_ARRAYS)),
    "pickle": ("a.pkl", lambda path: path.write_bytes(pickle.dumps(_ARRAYS, 2))),
    "torch": ("a.pth", lambda path: write_zip(path, _ARRAYS)),
    "legacy torch": ("a.pth", lambda path: write_legacy(path, _ARRAYS)),
    "safetensors": (
        "a.safetensors",
        start_files.safetensors(
            {"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}, bytes(16)
        ),
    ),
}
DATA: dict[str, tuple[str, str, bytes]] = {
    "CSV": ("csv", "a.csv", data_files.ROWS),
    "JSON lines": ("jsonl", "a.jsonl", data_files.LINES),
    "gzip": ("jsonl", "a.jsonl.gz", gzip.compress(data_files.LINES)),
    "bzip2": ("jsonl", "a.jsonl.bz2", bz2.compress(data_files.LINES)),
    "xz": ("jsonl", "a.jsonl.xz", lzma.compress(data_files.LINES)),
    "zstandard": ("jsonl", "a.jsonl.zst", data_files._zst(data_files.LINES)),
    "7z": ("jsonl", "a.7z", data_files._7z(a=data_files.LINES)),
    "TFRecord": ("tfrecord", "a.tfrecord", _tfrecord()),
    "LEAF": ("femnist_leaf", "a.json", data_files._leaf({"u": {"x": [[1.0] * 784], "y": [3]}})),
    "Pushshift": (
        "reddit_pushshift",
        "RC",
        b'{"author":"a","body":"x y","created_utc":"1514764800","subreddit":"s","score":1}\n' * 3,
    ),
    "posts": (
        "stackoverflow_dump",
        "Posts.xml",
        b"<posts>\n<row Id='1' PostTypeId='1' OwnerUserId='3' CreationDate='2018-01-01T00:00:00' "
        b"Score='1' Body='&lt;p&gt;a b c.&lt;/p&gt;' Title='t' Tags='&lt;x&gt;'/>\n</posts>",
    ),
    "CIFAR-10": (
        "cifar10",
        "data_batch_1",
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [3]}, 2),
    ),
}
_PLAN = Path(plans.PLANS_FOLDER / "quickstart.yaml").read_bytes()
_MODEL = "Keras description"
KINDS = [*STARTS, *DATA, "plan", _MODEL]


def _sound(kind: str, folder: Path) -> bytes:
    if kind == "plan":
        return _PLAN
    if kind == _MODEL:
        return _described_model()
    if kind in DATA:
        return DATA[kind][2]
    file, write = STARTS[kind]
    write(folder / file)
    return (folder / file).read_bytes()


def _described_model() -> bytes:
    import tensorflow as tf

    layers = [tf.keras.Input((4,)), tf.keras.layers.Dense(3, "relu"), tf.keras.layers.Dropout(0.1)]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("config.json", tf.keras.Sequential(layers).to_json())
    return content.getvalue()


def _read(kind: str, content: bytes, folder: Path) -> None:
    """Whatever the file holds now, this comes back or raises a sentence."""
    sentence = ""
    try:
        with bounded(megabytes=1500, seconds=60):
            _read_as(kind, content, folder)
    except (UserError, reading.TooManyBadRecords) as refusal:
        sentence = str(refusal)
    assert "\n" not in sentence, sentence
    assert len(sentence) < 2000


def _read_as(kind: str, content: bytes, folder: Path) -> None:
    if kind == "plan":
        (folder / "plan.yaml").write_bytes(content)
        plans.load(str(folder / "plan.yaml"))
    elif kind == _MODEL:
        (folder / "a.keras").write_bytes(content)
        keras_file.read(folder / "a.keras")
    elif kind in STARTS:
        path = folder / STARTS[kind][0]
        path.write_bytes(content)
        detect.read(str(path))
    else:
        _read_data(kind, content, folder)


def _read_data(kind: str, content: bytes, folder: Path) -> None:
    source, file, _ = DATA[kind]
    (folder / file).write_bytes(content)
    made_up = {"partition": "iid", "num_clients": 1} if source == "cifar10" else {}
    config = PrepareConfig(
        source,
        str(folder / "out"),
        input=str(folder / file),
        max_bad_records=10,
        **made_up,  # type: ignore[arg-type]
    )
    opened = preparation.open_source(config)
    job = preparation.make_job(opened, folder, {"extra": {}})
    for task in request.pack_tasks(opened.reader):
        for _ in reading.TaskReader(job, task, reading.READ).read():
            pass


_EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "put", "cut", "insert", "repeat"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=4,
)


def _edited(content: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    for edit, place, more in edits:
        at = int(place * len(content))
        if edit == "flip" and content:
            content = content[:at] + bytes([content[at] ^ (more[0] or 1)]) + content[at + 1 :]
        elif edit == "put":
            content = content[:at] + more + content[at + len(more) :]
        elif edit == "cut":
            content = content[:at]
        elif edit == "insert":
            content = content[:at] + more + content[at:]
        else:
            content = content[:at] + content[at : at + 40] * (1 + more[0] % 50) + content[at:]
    return content


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_changed_at_random_is_read_or_refused(kind: str, tmp_path: Path) -> None:
    sound = _sound(kind, tmp_path)

    @settings(
        max_examples=5, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(_EDITS)
    def check(edits: list[tuple[str, float, bytes]]) -> None:
        _read(kind, _edited(sound, edits), tmp_path)

    check()


def _random_edits(generator: np.random.Generator) -> Iterator[tuple[str, float, bytes]]:
    for _ in range(int(generator.integers(1, 5))):
        edit = str(generator.choice(["flip", "put", "cut", "insert", "repeat"]))
        size = int(generator.integers(1, 10))
        more = generator.bytes(size) if generator.random() < 0.7 else b"\xff" * size
        yield edit, float(generator.random()), more


def _try_for_long(kind: str, folder: Path, seed: int) -> None:
    """The last content tried stays in the folder, for who looks at a process that fell over."""
    generator = np.random.default_rng(seed)
    sound = _sound(kind, folder)
    stop, tried = time.monotonic() + SECONDS, 0
    while time.monotonic() < stop:
        content = _edited(sound, list(_random_edits(generator)))
        (folder / "last").write_bytes(content)
        _read(kind, content, folder)
        tried += 1
    print(f"{kind}: {tried:,} files tried in {SECONDS:.0f} s", flush=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_minutes_of_random_changes_raise_nothing_else(kind: str, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    seed = int(os.environ.get("FED_PRETRAIN_FUZZ_SEED", "0"))
    process = context.Process(target=_try_for_long, args=(kind, tmp_path, seed))
    process.start()
    process.join()
    assert process.exitcode == 0, f"the content that did it is {tmp_path / 'last'}"
