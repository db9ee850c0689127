"""Real digits, read back; oracle: scikit-learn's own loader."""

import concurrent.futures
import dataclasses
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from data_prep.store import manifest, reader
from data_prep.store.reader import PreparedDataset, open_dataset
from groundwork.errors import UserError
from tests.data_prep.store.small_dataset import prepared_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepared_digits(tmp_path_factory.mktemp("reader"), split="none", shards=3)


@pytest.fixture
def copy(digits: PreparedDataset, tmp_path: Path) -> Path:
    shutil.copytree(digits.path, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_client_holds_its_forms_digits_in_the_forms_order(digits: PreparedDataset) -> None:
    theirs = load_digits()
    third = slice(386, 516)
    client = digits.read_client("train", "form_03")
    pixels = 255 - np.rint(theirs.images[third] * 255 / 16).astype(np.uint8)
    assert client["image"].dtype == tf.uint8
    assert np.array_equal(client["image"].numpy()[..., 0], pixels)
    assert client["label"].numpy().tolist() == theirs.target[third].tolist()


def test_all_clients_together_are_the_whole_data_set(digits: PreparedDataset) -> None:
    labels = np.concatenate(
        [digits.parse(list(records))["label"].numpy() for _, records in digits.iterate("train")]
    )
    assert np.array_equal(np.bincount(labels), np.bincount(load_digits().target))
    index = digits.index("train")
    assert index.num_examples.sum() == 1797
    assert index.label_counts is not None
    assert np.array_equal(index.label_counts.sum(axis=0), np.bincount(labels))
    for client_id in index.client_ids:
        row = index.position(client_id)
        counts = np.bincount(digits.read_client("train", client_id)["label"], minlength=10)
        assert np.array_equal(index.label_counts[row], counts)


@pytest.mark.parametrize("chunk", [1, 100, 5000, 1 << 20])
def test_a_streamed_client_is_the_same_whatever_the_chunk(
    digits: PreparedDataset, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_CHUNK", chunk)
    whole = digits.read_records("train", "form_03")
    assert list(digits.stream_client("train", "form_03")) == whole


def test_tensorflow_reads_the_shards_as_they_are(digits: PreparedDataset) -> None:
    files = sorted(map(str, digits.path.glob("*.tfrecord")))
    assert len(files) == 3
    assert sum(1 for _ in tf.data.TFRecordDataset(files)) == 1797


def test_pickling_opens_once_and_refuses_a_changed_dataset(
    digits: PreparedDataset, copy: Path
) -> None:
    first, second = (pickle.loads(pickle.dumps(digits)) for _ in range(2))
    assert first is second
    assert first.index("train").client_ids == digits.index("train").client_ids
    pickled = pickle.dumps(open_dataset(copy))
    shutil.rmtree(copy)
    prepared_digits(copy.parent, seed=5)
    (copy.parent / "digits").rename(copy)
    with pytest.raises(UserError, match="replaced by another"):
        pickle.loads(pickled)


def test_threads_read_the_same_bytes(digits: PreparedDataset) -> None:
    ids = digits.index("train").client_ids * 5
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda client: digits.read_records("train", client), ids))
    assert found == [digits.read_records("train", client) for client in ids]


def test_wrong_names_are_refused(digits: PreparedDataset) -> None:
    with pytest.raises(UserError, match="no client 'form_99'"):
        digits.read_client("train", "form_99")
    with pytest.raises(UserError, match="no split 'test'; it has train"):
        digits.index("test")


def test_no_manifest_is_no_dataset(copy: Path, tmp_path: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(UserError, match="not a prepared dataset"):
        open_dataset(copy)
    with pytest.raises(UserError, match="does not exist"):
        open_dataset(tmp_path / "nowhere")


def test_stale_shards_beside_the_manifest_are_never_read(copy: Path) -> None:
    (copy / "train-00003-of-00004.tfrecord").write_bytes(b"stale")
    assert sum(1 for _, records in open_dataset(copy).iterate("train") for _ in records) == 1797


def test_a_cut_shard_a_missing_shard_and_a_damaged_index_are_named(copy: Path) -> None:
    shard = copy / "train-00001-of-00003.tfrecord"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1])
    with pytest.raises(UserError, match="train-00001-of-00003"):
        open_dataset(copy)
    shard.unlink()
    with pytest.raises(UserError, match=r"train-00001-of-00003.*missing"):
        open_dataset(copy)
    shard.write_bytes(whole)
    index = copy / "train.clients.parquet"
    content = bytearray(index.read_bytes())
    content[100] ^= 1
    index.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"train\.clients\.parquet is damaged"):
        open_dataset(copy).index("train")


def test_a_flipped_byte_of_a_client_is_refused_when_that_client_is_read(copy: Path) -> None:
    dataset = open_dataset(copy)
    index = dataset.index("train")
    row = index.position("form_05")
    shard = copy / f"train-{index.shards[row]:05d}-of-00003.tfrecord"
    content = bytearray(shard.read_bytes())
    content[int(index.offsets[row]) + 40] ^= 0x10
    shard.write_bytes(bytes(content))
    with pytest.raises(UserError, match="damaged record"):
        open_dataset(copy).read_client("train", "form_05")
    other = next(client for client in index.client_ids if client != "form_05")
    open_dataset(copy).read_client("train", other)


@pytest.mark.parametrize("index_first", [False, True])
def test_a_reader_from_before_an_overwrite_reads_nothing_of_the_new_dataset(
    tmp_path: Path, index_first: bool
) -> None:
    before = prepared_digits(tmp_path, split="none", shards=3)
    if index_first:
        before.index("train")
    prepared_digits(
        tmp_path, split="none", shards=3, partition="iid", num_clients=9, overwrite=True
    )
    with pytest.raises(UserError, match="was replaced by another dataset"):
        before.read_records("train", "form_03")


def test_a_reader_holds_on_to_the_files_it_had_opened(tmp_path: Path) -> None:
    before = prepared_digits(tmp_path, split="none", shards=1)
    records = before.read_records("train", "form_03")
    prepared_digits(tmp_path, split="none", shards=2, overwrite=True)
    assert before.read_records("train", "form_03") == records


def forged(folder: Path, change: Callable[[pa.Table], pa.Table]) -> Path:
    """The same dataset with another index, and a manifest that vouches for it."""
    written = manifest.read(folder)
    [(name, split)] = written.splits.items()
    pq.write_table(change(pq.read_table(folder / split.index.file)), folder / split.index.file)
    other = dataclasses.replace(split, index=manifest.stored_file(folder / split.index.file))
    manifest.write(folder, dataclasses.replace(written, splits={name: other}))
    return folder


def no_text(count: int) -> pa.Array:
    return pa.array([b"\xff%d" % n for n in range(count)]).view(pa.string())


def column(name: str, values: Callable[[pa.Table], pa.Array]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, values(table))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda table: table.drop_columns(["offset"]), "its columns are"),
        (lambda table: table.slice(1), "clients, the manifest"),
        (
            column("client_id", lambda table: pa.nulls(len(table), pa.string())),
            "a value is missing",
        ),
        (column("client_id", lambda table: no_text(len(table))), "Invalid UTF8"),
        (column("shard", lambda table: pa.array([99] * len(table), pa.int32())), "in no shard"),
        (column("shard", lambda table: pa.array([-1] * len(table), pa.int32())), "in no shard"),
        (column("offset", lambda table: pa.array([-8] * len(table))), "outside its shard"),
        (column("bytes", lambda table: pa.array([1 << 40] * len(table))), "outside its shard"),
        (column("label_counts", lambda table: table["offset"]), "its label_counts are"),
    ],
)
def test_an_index_that_leads_out_of_its_files_is_refused(
    copy: Path, change: Callable[[pa.Table], pa.Table], why: str
) -> None:
    opened = open_dataset(forged(copy, change))
    with pytest.raises(UserError, match=rf"\.parquet is not an index of ours \(.*{why}"):
        opened.index(opened.splits[0])
