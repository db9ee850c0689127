"""Oracle: TFF's own classes read what we export."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from data_prep.inspection import exporting
from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.store.reader import PreparedDataset
from groundwork.errors import UserError

CLIENTS = ("a", "with space", "ünïcode", "slash/and%percent", ".hidden", "C:\\x")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    folder = tmp_path_factory.mktemp("exporting")
    rows = [f"{CLIENTS[n % 6]},{n % 2},text {n}" for n in range(60)]
    (folder / "rows.csv").write_text("client_id,label,text\n" + "\n".join(rows) + "\n")
    config = PrepareConfig(
        "csv",
        str(folder / "dataset"),
        input=str(folder / "rows.csv"),
        source_options={"label": "label", "text": "text"},
        shards=2,
    )
    return prepare(config)


def same(theirs: tf.data.Dataset, ours: dict[str, tf.Tensor]) -> bool:
    rows = list(theirs.as_numpy_iterator())
    return all(
        np.array_equal(np.array([row[name] for row in rows]), tensor.numpy())
        for name, tensor in ours.items()
    )


def test_tff_reads_the_sqlite_export(dataset: PreparedDataset, tmp_path: Path) -> None:
    folder = exporting.export(str(dataset.path), "tff_sqlite", str(tmp_path / "out"))
    spec = {"label": tf.TensorSpec((), tf.int64), "text": tf.TensorSpec((), tf.string)}
    for split in dataset.splits:
        theirs = tff.simulation.datasets.load_and_parse_sql_client_data(
            str(folder / exporting.SQLITE_FILE), spec, split
        )
        assert theirs.client_ids == sorted(dataset.index(split).client_ids)
        for client in theirs.client_ids:
            rows = theirs.create_tf_dataset_for_client(client)
            assert same(rows, dataset.read_client(split, client)), client


def test_tff_reads_the_file_per_client_export(dataset: PreparedDataset, tmp_path: Path) -> None:
    folder = exporting.export(str(dataset.path), "file_per_client", str(tmp_path / "out"))
    listed = [line.split("\t") for line in (folder / "clients.tsv").read_text().splitlines()]
    features = {
        "label": tf.io.FixedLenFeature((), tf.int64),
        "text": tf.io.FixedLenFeature((), tf.string),
    }
    for split in dataset.splits:
        files = {client: str(folder / path) for part, client, path in listed if part == split}
        assert set(files) == set(dataset.index(split).client_ids)
        theirs = tff.simulation.datasets.FilePerUserClientData(
            files,
            lambda path: tf.data.TFRecordDataset(path).map(
                lambda record: tf.io.parse_single_example(record, features)
            ),
        )
        for client in theirs.client_ids:
            rows = theirs.create_tf_dataset_for_client(client)
            assert same(rows, dataset.read_client(split, client)), client


def test_tffs_own_listing_of_a_folder_finds_the_clients(
    dataset: PreparedDataset, tmp_path: Path
) -> None:
    folder = exporting.export(str(dataset.path), "file_per_client", str(tmp_path / "out"))
    theirs = tff.simulation.datasets.FilePerUserClientData.create_from_dir(
        str(folder / "train"), tf.data.TFRecordDataset
    )
    assert len(theirs.client_ids) == len(CLIENTS)


def test_client_ids_that_are_no_file_names_get_one_each() -> None:
    names = [exporting.file_name(client) for client in (*CLIENTS, "..", "a%2Fb", "a/b")]
    assert len(set(names)) == len(names)
    assert not any("/" in name or name.startswith(".") for name in names)
    with pytest.raises(UserError, match="too long"):
        exporting.file_name("x" * 300)


def test_what_cannot_be_exported_is_refused(dataset: PreparedDataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--layout=csv"):
        exporting.export(str(dataset.path), "csv", str(tmp_path / "out"))
    with pytest.raises(UserError, match="not a prepared dataset"):
        exporting.export(str(tmp_path), "tff_sqlite", str(tmp_path / "out"))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("x")
    with pytest.raises(UserError, match="exists already"):
        exporting.export(str(dataset.path), "tff_sqlite", str(tmp_path / "taken"))
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
