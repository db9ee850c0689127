"""The same shards read by TensorFlow Datasets; oracle: scikit-learn's own loader."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from data_prep.inspection import verification
from data_prep.store import croissant, tfds_metadata, views
from data_prep.store.features import FeatureSpec
from data_prep.store.reader import PreparedDataset
from tests.data_prep.store.small_dataset import prepared_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepared_digits(tmp_path_factory.mktemp("views"), split="none", shards=3)


def test_tensorflow_datasets_reads_the_folder_as_it_is(digits: PreparedDataset) -> None:
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(str(digits.path))
    rows = list(builder.as_dataset(split="train").as_numpy_iterator())
    theirs = load_digits()
    assert len(rows) == builder.info.splits["train"].num_examples == len(theirs.target)
    assert rows[0]["image"].dtype == np.uint8
    assert builder.info.features["label"].names == list("0123456789")
    darkness = sorted(int((255 - row["image"].astype(int)).sum()) for row in rows)
    expected = np.rint(theirs.images * 255 / 16).astype(int).sum(axis=(1, 2))
    assert darkness == sorted(expected.tolist())


def test_a_client_is_a_slice_of_tensorflow_datasets(digits: PreparedDataset) -> None:
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(str(digits.path))
    rows = builder.as_dataset(split=digits.slice_of("train", "form_03")).as_numpy_iterator()
    assert [row["label"] for row in rows] == load_digits().target[386:516].tolist()


def test_every_kind_of_feature_has_tensorflow_datasets_own_description() -> None:
    import tensorflow_datasets as tfds

    theirs = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Tensor(shape=(2, 3, 1), dtype=np.uint8, encoding="bytes"),
            "text": tfds.features.Text(),
            "number": tfds.features.Scalar(np.int64),
            "numbers": tfds.features.Tensor(shape=(2,), dtype=np.int64),
            "vector": tfds.features.Tensor(shape=(3,), dtype=np.float32),
        }
    )
    ours = {
        feature.name: tfds_metadata.feature_entry(feature)
        for feature in (
            FeatureSpec("image", "image", (2, 3, 1)),
            FeatureSpec("text", "text"),
            FeatureSpec("number", "int64"),
            FeatureSpec("numbers", "int64", (2,)),
            FeatureSpec("vector", "float32", (3,)),
        )
    }
    assert ours == theirs.to_json()["content"]["features"]


def test_croissant_names_every_file_by_its_sha256(digits: PreparedDataset) -> None:
    import hashlib

    described = croissant.description(digits.manifest)
    files = {file["name"]: file["sha256"] for file in described["distribution"]}
    on_disk = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in digits.path.iterdir()
        if path.name.startswith("train")
    }
    assert files == on_disk


def test_the_views_are_no_strangers_and_no_part_of_the_fingerprint(
    digits: PreparedDataset, tmp_path: Path
) -> None:
    assert verification.strangers(digits.path) == []
    assert not any(name in str(digits.manifest.to_json()) for name in views.NAMES)
    for name in views.NAMES:
        assert tf.io.gfile.exists(str(digits.path / name))
