import lzma
import sqlite3

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from groundwork.errors import UserError


def _write(path, data, split_of):
    tff.simulation.datasets.save_to_sql_client_data(
        data.client_ids,
        data.create_tf_dataset_for_client,
        str(path),
        split_names_by_client_id=split_of,
    )


@pytest.fixture(scope="module")
def emnist(tmp_path_factory):
    """TFF's synthetic EMNIST in TFF's schema, written by TFF's own writer."""
    path = tmp_path_factory.mktemp("emnist") / "emnist_all.sqlite"
    data = tff.simulation.datasets.emnist.get_synthetic()
    first, second = data.client_ids
    _write(path, data, {first: "all_train", second: "all_test"})
    return path, data


def test_tffs_emnist_gives_tffs_own_examples(emnist, read_source):
    path, data = emnist
    outcome = read_source("femnist_tff", path)
    expected = [
        (client, int(example["label"]), example["pixels"])
        for client in data.client_ids
        for example in data.create_tf_dataset_for_client(client).as_numpy_iterator()
    ]
    assert len(outcome.records) == len(expected) == 20
    for record, (client, label, pixels) in zip(outcome.records, expected, strict=True):
        assert (record.client_id, record.features["label"]) == (client, label)
        stored = np.asarray(record.features["image"], np.float64).reshape(28, 28)
        if outcome.reader.features[0].kind == "image":
            stored = stored / 255
        np.testing.assert_allclose(stored, pixels, atol=1e-6)
    assert {r.split for r in outcome.records} == {"train", "test"}


@pytest.fixture
def real_emnist(tmp_path, foolbox_pictures):
    """Real digits as TFF stores them: float32 parts of 255, background 1."""
    pictures = foolbox_pictures("mnist")
    pixels = np.stack([(255 - image) / 255 for image, _ in pictures]).astype(np.float32)
    labels = np.array([label for _, label in pictures], np.int32)
    path = tmp_path / "emnist_all.sqlite"
    tff.simulation.datasets.save_to_sql_client_data(
        ["f0001_41"],
        lambda _: tf.data.Dataset.from_tensor_slices({"label": labels, "pixels": pixels}),
        str(path),
        split_names_by_client_id={"f0001_41": "all_train"},
    )
    return path, pictures


@pytest.mark.parametrize("form", [None, lzma.FORMAT_ALONE, lzma.FORMAT_XZ])
def test_real_pixels_become_their_bytes_packed_or_not(real_emnist, read_source, form):
    path, pictures = real_emnist
    if form is not None:
        packed = path.with_name("emnist_all.sqlite.lzma")
        packed.write_bytes(lzma.compress(path.read_bytes(), format=form))
        path.unlink()
        path = packed
    outcome = read_source("femnist_tff", path)
    assert outcome.reader.features[0].kind == "image"
    for record, (image, label) in zip(outcome.records, pictures, strict=True):
        np.testing.assert_array_equal(record.features["image"][..., 0], 255 - image)
        assert record.features["label"] == label


def test_a_cut_archive_is_refused_and_leaves_nothing(real_emnist, read_source):
    path, _ = real_emnist
    packed = path.with_name("cut.sqlite.lzma")
    whole = lzma.compress(path.read_bytes())
    packed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cut\.sqlite\.lzma"):
        read_source("femnist_tff", packed)
    assert sorted(file.name for file in path.parent.iterdir()) == ["cut.sqlite.lzma", path.name]


def test_a_database_with_fewer_rows_than_it_announces_is_refused(real_emnist, read_source):
    path, _ = real_emnist
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM examples WHERE rowid > 15")
    connection.close()
    with pytest.raises(UserError, match="announces 20 examples, 15"):
        read_source("femnist_tff", path)


def test_a_bad_row_is_named(real_emnist, read_source):
    path, _ = real_emnist
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE examples SET serialized_example_proto = x'ff' WHERE rowid = 3")
    connection.close()
    outcome = read_source("femnist_tff", path)
    assert [(bad.reason, bad.line) for bad in outcome.bad] == [("malformed_example", 3)]
    assert len(outcome.records) == 19


def test_digits_only_is_refused_where_the_file_has_none(real_emnist, read_source):
    with pytest.raises(UserError, match="digits_only_train"):
        read_source("femnist_tff", real_emnist[0], classes="digits_only")


def test_prepared_writers_are_clients(emnist, prepared):
    dataset = prepared("femnist_tff", emnist[0])
    assert set(dataset.splits) == {"train", "test"}
    assert dataset.index("train").num_examples.sum() == 10
