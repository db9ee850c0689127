"""The same shards read by TensorFlow Datasets; oracle: scikit-learn's own loader."""

import itertools
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from data_prep.inspection import verification
from data_prep.sources.public import digits as digits_source
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


def test_the_examples_of_tensorflow_datasets_get_their_clients_from_the_index(
    digits: PreparedDataset,
) -> None:
    import tensorflow_datasets as tfds

    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    builder = tfds.builder_from_directory(str(digits.path))
    rows = builder.as_dataset(split="train", read_config=in_order)
    clients = tf.data.Dataset.from_tensor_slices(digits.index("train").client_of_each())
    found: dict[str, list[int]] = {}
    for row, client in tf.data.Dataset.zip((rows, clients)).as_numpy_iterator():
        found.setdefault(client.decode(), []).append(row["label"])
    target = load_digits().target
    starts = [*digits_source.FORM_STARTS, len(target)]
    assert found == {
        f"form_{form:02d}": target[start:stop].tolist()
        for form, (start, stop) in enumerate(itertools.pairwise(starts))
    }


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


READER = Path(__file__).resolve().parents[3] / ".cache" / "croissant" / "bin" / "python"
_READ = """
import json, sys, mlcroissant
rows = mlcroissant.Dataset(sys.argv[1]).records("train")
print(json.dumps([[row["train/client_id"].decode(), int(row["train/bytes"])] for row in rows]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not READER.exists(), reason="`make test-stores` installs it")
def test_croissants_own_library_reads_the_clients(digits: PreparedDataset) -> None:
    described = str(digits.path / croissant.FILE)
    done = subprocess.run([READER, "-c", _READ, described], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    index = digits.index("train")
    expected = zip(index.client_ids, index.lengths.tolist(), strict=True)
    assert json.loads(done.stdout) == [list(pair) for pair in expected]


def test_the_views_are_no_strangers_and_no_part_of_the_fingerprint(
    digits: PreparedDataset, tmp_path: Path
) -> None:
    assert verification.strangers(digits.path) == []
    assert not any(name in str(digits.manifest.to_json()) for name in views.NAMES)
    for name in views.NAMES:
        assert tf.io.gfile.exists(str(digits.path / name))
