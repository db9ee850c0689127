"""FEMNIST from LEAF and NIST, on real digits: foolbox's MNIST pictures, ink on white."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.sources.public import femnist_nist
from groundwork.errors import UserError


@pytest.fixture
def inked(foolbox_pictures):
    return [(255 - pixels, label) for pixels, label in foolbox_pictures("mnist")]


def _leaf(writers):
    return {
        "users": list(writers),
        "num_samples": [len(images) for images in writers.values()],
        "user_data": {
            writer: {
                "x": [(pixels / 255).ravel().tolist() for pixels, _ in images],
                "y": [label for _, label in images],
            }
            for writer, images in writers.items()
        },
    }


def test_leafs_floats_become_the_bytes_they_were_made_from(tmp_path, read_source, inked):
    writers = {"f0001_41": inked[:5], "f0002_10": inked[5:8]}
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "all_data_0.json").write_text(json.dumps(_leaf(writers)))
    (tmp_path / "all_data").mkdir()
    (tmp_path / "all_data" / "all_data_0.json").write_text(json.dumps(_leaf(writers)))
    outcome = read_source("femnist_leaf", tmp_path)
    assert len(outcome.records) == 8
    for record, (pixels, label) in zip(outcome.records, inked[:8], strict=True):
        np.testing.assert_array_equal(record.features["image"][..., 0], pixels)
        assert record.features["label"] == label
    assert [r.client_id for r in outcome.records] == ["f0001_41"] * 5 + ["f0002_10"] * 3
    assert {r.split for r in outcome.records} == {"train"}
    assert outcome.reader.extra["background"] == 255
    assert len(outcome.reader.label_names) == 62


def test_leafs_doubled_first_image_is_left_out_and_counted_or_kept(tmp_path, read_source, inked):
    doubled = {"first": inked[:2], "later": [inked[3], inked[3], inked[4], inked[4]]}
    path = tmp_path / "all_data_0.json"
    path.write_text(json.dumps(_leaf(doubled)))
    corrected = read_source("femnist_leaf", path)
    assert corrected.dropped == {"leaf_duplicated_first_image": 1}
    assert len(corrected.records) == 5
    kept = read_source("femnist_leaf", path, duplicates="keep")
    assert (len(kept.records), kept.dropped) == (6, {})


def test_pixels_that_are_no_bytes_stay_floats(tmp_path, read_source, inked):
    content = _leaf({"w": inked[:1]})
    content["user_data"]["w"]["x"][0][5] = 0.1234567
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    outcome = read_source("femnist_leaf", path)
    assert outcome.reader.features[0].kind == "float32"
    np.testing.assert_allclose(outcome.records[0].features["image"].ravel()[5], 0.1234567, 1e-6)
    (bad,) = read_source("femnist_leaf", path, pixels="uint8").bad
    assert bad.reason == "pixels_not_bytes"
    assert "pixels=float32" in bad.detail


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda user: user["x"][0].pop(), "wrong_size"),
        (lambda user: user["x"].__setitem__(0, ["a"] * 784), "wrong_type"),
        (lambda user: user["x"][0].__setitem__(0, 2.0), "wrong_pixels"),
        (lambda user: user["y"].__setitem__(0, 62), "wrong_label"),
        (lambda user: user["y"].__setitem__(0, None), "missing_field"),
        (lambda user: user["y"].pop(), "wrong_type"),
    ],
)
def test_a_bad_image_is_named(tmp_path, read_source, inked, change, reason):
    content = _leaf({"w": inked[:3]})
    change(content["user_data"]["w"])
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    (bad,) = read_source("femnist_leaf", path, pixels="uint8").bad
    assert (bad.reason, bad.file) == (reason, str(path))
    assert "'w'" in bad.detail


def test_a_writer_named_twice_is_refused(tmp_path, read_source, inked):
    text = json.dumps(_leaf({"w": inked[:1], "v": inked[1:2]})).replace('"v"', '"w"')
    path = tmp_path / "a.json"
    path.write_text(text)
    assert [bad.reason for bad in read_source("femnist_leaf", path).bad] == ["duplicate_client"]


def _hexadecimal(label):
    return f"{ord('0123456789'[label]):02x}"


@pytest.fixture
def sd19(tmp_path, inked):
    """NIST's two trees with 128x128 pictures; labels stand in by_class only."""
    root = tmp_path / "sd19"
    for number, (pixels, label) in enumerate(inked[:12]):
        writer = f"f{number // 4:04d}_{number // 4 + 10}"
        picture = root / f"by_write/hsf_0/{writer}/d{writer[1:]}/d{writer[1:]}_{number:05d}.png"
        twin = root / f"by_class/{_hexadecimal(label)}/hsf_0/hsf_0_{number:05d}.png"
        for path in (picture, twin):
            path.parent.mkdir(parents=True, exist_ok=True)
        large = Image.fromarray(np.ascontiguousarray(pixels)).resize((128, 128))
        large.convert("RGB").save(picture)
        shutil.copy(picture, twin)
    (root / "by_class/30/train_30").mkdir(parents=True)
    (root / "by_class/30/train_30/decoy.png").write_bytes(b"not read")
    (root / "by_class/30/hsf_0.mit").write_bytes(b"not read")
    return root


def test_nist_labels_are_joined_by_the_bytes_of_the_pictures(sd19, read_source, inked):
    outcome = read_source("femnist_nist", sd19)
    assert [r.features["label"] for r in outcome.records] == [label for _, label in inked[:12]]
    assert [r.client_id for r in outcome.records][::4] == ["f0000_10", "f0001_11", "f0002_12"]
    assert outcome.bad == []
    file = sorted((sd19 / "by_write").rglob("*.png"))[0]
    expected = Image.open(file).convert("L")
    expected.thumbnail((28, 28), Image.Resampling.LANCZOS, reducing_gap=None)
    np.testing.assert_array_equal(outcome.records[0].features["image"][..., 0], expected)


def test_nist_doubles_first_images_only_when_asked(sd19, read_source):
    kept = read_source("femnist_nist", sd19, duplicates="keep").records
    assert len(kept) == 14  # three writers: every one but the first has one image twice
    first, second = kept[4:6]
    np.testing.assert_array_equal(first.features["image"], second.features["image"])


def test_a_picture_without_a_label_is_named(sd19, read_source):
    file = sorted((sd19 / "by_write").rglob("*.png"))[3]
    Image.new("L", (128, 128), 7).save(file)
    (bad,) = read_source("femnist_nist", sd19).bad
    assert (bad.reason, bad.file) == ("no_label", str(file))
    assert hashlib.md5(file.read_bytes()).digest() not in femnist_nist._labels(str(sd19))


def test_the_classes_of_nist_are_ascii_codes():
    assert [femnist_nist.class_index(c) for c in ("30", "39", "41", "5a", "61", "7a")] == [
        *(0, 9, 10),
        *(35, 36, 61),
    ]


def test_a_folder_without_the_two_trees_is_refused(tmp_path, read_source):
    with pytest.raises(UserError, match="by_write"):
        read_source("femnist_nist", tmp_path)


def test_prepared_writers_of_nist_are_clients(sd19, prepared):
    dataset = prepared("femnist_nist", sd19, split_fractions=(1.0, 0.0, 0.0))
    assert sorted(dataset.index("train").client_ids) == ["f0000_10", "f0001_11", "f0002_12"]
    assert dataset.read_client("train", "f0001_11")["image"].shape == (4, 28, 28, 1)
    assert dataset.manifest.extra["background"] == 255


def test_prepared_leaf_counts_what_was_corrected(tmp_path, prepared, inked):
    path = tmp_path / "all_data_0.json"
    path.write_text(json.dumps(_leaf({"a": inked[:2], "b": [inked[3], inked[3], inked[4]]})))
    dataset = prepared("femnist_leaf", path, split_fractions=(1.0, 0.0, 0.0))
    stored = dataset.read_client("train", "b")
    np.testing.assert_array_equal(stored["image"][0, ..., 0], inked[3][0])
    assert stored["label"].numpy().tolist() == [inked[3][1], inked[4][1]]
    assert "leaf_duplicated_first_image" in json.dumps(dataset.manifest.to_json())
    assert tf.executing_eagerly()
