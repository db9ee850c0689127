"""A dataset in an object store; fsspec's `memory://` is one that lives in this process."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from data_prep.preparing import preparation
from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.store import manifest
from data_prep.store.reader import PreparedDataset, open_dataset
from groundwork.errors import UserError
from groundwork.stores import ranges, store
from tests.data_prep.store.small_dataset import prepared_digits

URL = "memory://bucket/data/digits"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepared_digits(tmp_path_factory.mktemp("stored"), split="none", shards=3)


@pytest.fixture
def url(digits: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("FED_PRETRAIN_CACHE", str(tmp_path / "cache"))
    files = fsspec.filesystem("memory")
    files.put(f"{digits.path}/", "/bucket/data/digits/", recursive=True)
    yield URL
    files.rm("/bucket", recursive=True)


def test_clients_are_read_in_place_as_from_a_local_folder(
    digits: PreparedDataset, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "_BLOCK", 4096)
    read: list[tuple[int, int]] = []
    whole = store.read
    monkeypatch.setattr(store, "read", lambda *where: (read.append(where[1:]), whole(*where))[1])
    there = open_dataset(url)
    assert there.fingerprint == digits.fingerprint
    mine = there.read_records("train", "form_03")
    assert mine == digits.read_records("train", "form_03")
    length = int(digits.index("train").lengths[digits.index("train").position("form_03")])
    assert sum(end - start for start, end in read) <= length + 2 * 4096
    read.clear()
    assert open_dataset(url).read_records("train", "form_03") == mine
    assert not read, "what was read once is read from the disk"
    for client_id in digits.index("train").client_ids:
        assert there.read_records("train", client_id) == digits.read_records("train", client_id)


def test_it_travels_to_a_worker_by_its_url(digits: PreparedDataset, url: str) -> None:
    there = pickle.loads(pickle.dumps(open_dataset(url)))
    assert there.address == url
    assert there.read_records("train", "form_03") == digits.read_records("train", "form_03")


@pytest.mark.slow
def test_tffs_client_data_of_it_is_the_same(digits: PreparedDataset, url: str) -> None:
    rows = open_dataset(url).client_data("train").create_tf_dataset_for_client("form_05")
    mine = digits.client_data("train").create_tf_dataset_for_client("form_05")
    assert [row["label"] for row in rows.as_numpy_iterator()] == [
        row["label"] for row in mine.as_numpy_iterator()
    ]


def test_another_dataset_at_the_same_url_is_noticed(
    url: str, tmp_path: Path, digits: PreparedDataset
) -> None:
    before = open_dataset(url)
    other = prepared_digits(tmp_path, split="none", shards=2)
    assert manifest.fingerprint_at(url) == digits.fingerprint
    fsspec.filesystem("memory").put(f"{other.path}/", "/bucket/data/digits/", recursive=True)
    with pytest.raises(UserError, match="was replaced by another dataset"):
        before.read_records("train", "form_03")
    assert manifest.fingerprint_at(url) == other.fingerprint
    assert open_dataset(url).read_records("train", "form_03")


def test_a_shard_that_was_cut_off_or_is_not_there_is_refused(url: str) -> None:
    files = fsspec.filesystem("memory")
    shard = "/bucket/data/digits/train-00001-of-00003.tfrecord"
    content = files.cat_file(shard)
    files.pipe_file(shard, content[:-1])
    with pytest.raises(UserError, match=r"memory://bucket.*it was cut off or changed"):
        open_dataset(url)
    files.rm_file(shard)
    with pytest.raises(UserError, match=r"memory://bucket.* is missing"):
        open_dataset(url)


def test_a_place_without_a_dataset_is_refused(url: str) -> None:
    with pytest.raises(UserError, match=r"is not a prepared dataset|does not exist"):
        open_dataset("memory://bucket/elsewhere")


def test_nothing_is_written_beside_the_dataset(url: str, digits: PreparedDataset) -> None:
    files = fsspec.filesystem("memory")
    before = {name: files.info(name)["size"] for name in files.find("/bucket")}
    open_dataset(url).read_records("train", "form_03")
    assert before == {name: files.info(name)["size"] for name in files.find("/bucket")}


def test_a_publication_that_was_cut_off_is_taken_up_again(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PAUSES", ())
    config = PrepareConfig("digits", "memory://bucket/data/cut", split="none", shards=3, workers=1)
    put = store.put
    failing = iter([True, True, False])
    monkeypatch.setattr(store, "put", lambda *of: put(*of) if next(failing) else _refuse())
    with pytest.raises(UserError, match="the store refused"):
        prepare(config)
    monkeypatch.setattr(store, "put", put)
    monkeypatch.setattr(preparation, "_beam", lambda: pytest.fail("it was prepared again"))
    made = prepare(config)
    assert made.fingerprint == open_dataset(url).fingerprint
    fsspec.filesystem("memory").rm("/bucket/data/cut", recursive=True)
    assert prepare(config).fingerprint == made.fingerprint, "removed there, whole here"


def _refuse() -> str:
    raise UserError("the store refused")
