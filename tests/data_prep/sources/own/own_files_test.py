"""Your own CSV, JSON lines, TFRecords, image folders and text, with a named client column."""

import gzip
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from groundwork.errors import UserError


def _kinds(outcome):
    return {spec.name: (spec.kind, spec.shape) for spec in outcome.reader.features}


def test_csv_kinds_are_read_off_the_rows(tmp_path, read_source):
    path = tmp_path / "a.csv"
    path.write_text(
        "who,when,n,x,words,class\n"
        'ann,2018-01-01T00:00:10Z,3,0.5,"two\nlines, quoted",cat\n'
        "ben,2018-01-01T00:00:05Z,-4,2,größer,ant\n"
    )
    outcome = read_source("csv", path, client="who", order="when", text="words", label="class")
    assert _kinds(outcome) == {
        "n": ("int64", ()),
        "x": ("float32", ()),
        "text": ("text", ()),
        "label": ("int64", ()),
    }
    assert outcome.reader.label_names == ("ant", "cat")
    first, second = outcome.records
    assert (first.client_id, first.order, second.order) == ("ann", 1514764810, 1514764805)
    assert first.features["text"] == "two\nlines, quoted"
    assert [r.features["label"] for r in outcome.records] == [1, 0]
    assert (second.features["n"], float(second.features["x"])) == (-4, 2.0)


def test_csv_pixels_become_an_image(tmp_path, read_source, foolbox_pictures):
    pictures = foolbox_pictures("mnist")[:3]
    path = tmp_path / "mnist.csv.gz"
    header = ",".join(["label", "client_id", *(f"pixel{n}" for n in range(784))])
    rows = [
        ",".join(map(str, [label, f"w{n}", *pixels.ravel().tolist()]))
        for n, (pixels, label) in enumerate(pictures)
    ]
    path.write_bytes(gzip.compress("\n".join([header, *rows]).encode()))
    outcome = read_source("csv", path, pixels="pixel", image_shape="28x28x1", label="label")
    for record, (pixels, label) in zip(outcome.records, pictures, strict=True):
        np.testing.assert_array_equal(record.features["image"][..., 0], pixels)
        assert record.features["label"] == label


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,1", "wrong_columns"),
        ("a,one,x", "wrong_type"),
        (",1,x", "wrong_type"),
        ('a,1,"x', "malformed_csv"),
        ('a,1,"x"y', "malformed_csv"),
    ],
)
def test_a_bad_csv_row_is_named(tmp_path, read_source, row, reason):
    path = tmp_path / "a.csv"
    path.write_text(f"client_id,n,t\na,1,x\n{row}\n")
    outcome = read_source("csv", path, columns="n|t")
    # The kinds come from readable rows only; a word among whole numbers makes the column text.
    bad = [(b.reason, b.file, b.line) for b in outcome.bad]
    if row == "a,one,x":
        assert (_kinds(outcome)["n"], bad) == (("text", ()), [])
    else:
        assert bad == [(reason, str(path), 3)]


def test_a_word_after_the_sample_of_whole_numbers_is_named(tmp_path, read_source):
    path = tmp_path / "a.csv"
    path.write_text("client_id,n\n" + "a,1\n" * 1500 + "a,one\n")
    (bad,) = read_source("csv", path).bad
    assert (bad.reason, bad.line) == ("wrong_type", 1502)


def test_bytes_that_are_no_utf8_are_named(tmp_path, read_source):
    path = tmp_path / "a.csv"
    path.write_bytes(b"client_id,t\na,fine\nb,\xe9\n")
    (bad,) = read_source("csv", path).bad
    assert (bad.reason, bad.line) == ("not_utf8", 3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"client": "user"}, "client=user: no such column"),
        ({"label": "class"}, "label=class: no such column"),
        ({"pixels": "p"}, "pixels=p"),
        ({"pixels": "n", "image_shape": "28"}, "image_shape=28"),
    ],
)
def test_a_wrong_option_names_itself(tmp_path, read_source, options, sentence):
    path = tmp_path / "a.csv"
    path.write_text("client_id,n\na,1\n")
    with pytest.raises(UserError, match=sentence):
        read_source("csv", path, **options)


def test_csv_files_of_other_columns_and_doubled_columns_are_refused(tmp_path, read_source):
    (tmp_path / "a.csv").write_text("client_id,n\na,1\n")
    (tmp_path / "b.csv").write_text("client_id,m\na,1\n")
    with pytest.raises(UserError, match=r"b\.csv, line 1"):
        read_source("csv", tmp_path)
    (tmp_path / "b.csv").write_text("client_id,n,n\na,1,2\n")
    with pytest.raises(UserError, match="twice"):
        read_source("csv", tmp_path)


def test_json_lines_keep_lists_of_numbers(tmp_path, read_source):
    path = tmp_path / "a.jsonl"
    rows = [
        {"user": 7, "split": "train", "text": "hi", "x": [[0.5, 1.0]], "y": 3},
        {"user": 8, "split": "val", "text": "ho", "x": [[1.5, 2.0]], "y": 4},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"user": 9, "x": [1]}\n')
    outcome = read_source("jsonl", path, client="user", split="split", label="y")
    assert _kinds(outcome) == {
        "text": ("text", ()),
        "x": ("float32", (1, 2)),
        "label": ("int64", ()),
    }
    assert [(r.client_id, r.split) for r in outcome.records] == [
        ("7", "train"),
        ("8", "validation"),
    ]
    np.testing.assert_array_equal(outcome.records[0].features["x"], [[0.5, 1.0]])
    assert [(b.reason, b.line) for b in outcome.bad] == [("missing_field", 3)]


def test_prepared_json_lines_are_one_client_a_name(tmp_path, prepared):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"client_id": c, "text": c * 2}) + "\n" for c in "abcab"))
    dataset = prepared("jsonl", path, split_fractions=(1.0, 0.0, 0.0))
    assert sorted(dataset.index("train").client_ids) == ["a", "b", "c"]
    assert dataset.read_client("train", "a")["text"].numpy().tolist() == [b"aa", b"aa"]


def test_prepared_csv_stops_at_a_bad_line_or_counts_it(tmp_path, prepared):
    path = tmp_path / "a.csv"
    path.write_text("client_id,n\na,1\nb\nc,2\n")
    with pytest.raises(UserError, match=r"a\.csv.*3"):
        prepared("csv", path)
    dataset = prepared("csv", path, max_bad_records=1, split_fractions=(1.0, 0.0, 0.0))
    assert sorted(dataset.index("train").client_ids) == ["a", "c"]


def _example(client, label, values, picture):
    feature = {
        "client_id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[client.encode()])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "x": tf.train.Feature(float_list=tf.train.FloatList(value=values)),
        "raw": tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture.tobytes()])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_tfrecords_written_by_tensorflow_are_read(
    tmp_path, read_source, foolbox_pictures, compression
):
    pictures = foolbox_pictures("cifar10")[:4]
    path = str(tmp_path / "a.tfrecord")
    with tf.io.TFRecordWriter(path, compression) as writer:
        for number, (pixels, label) in enumerate(pictures):
            writer.write(_example(f"c{number % 2}", label, [0.5, number], pixels))
    outcome = read_source("tfrecord", path, pixels="raw", image_shape="32x32x3")
    assert _kinds(outcome) == {
        "image": ("image", (32, 32, 3)),
        "label": ("int64", ()),
        "x": ("float32", (2,)),
    }
    for record, (pixels, label) in zip(outcome.records, pictures, strict=True):
        np.testing.assert_array_equal(record.features["image"], pixels)
        assert record.features["label"] == label
    assert [r.client_id for r in outcome.records] == ["c0", "c1", "c0", "c1"]


def test_a_flipped_bit_in_a_tfrecord_is_named(tmp_path, read_source, foolbox_pictures):
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, (pixels, label) in enumerate(foolbox_pictures("cifar10")[:3]):
            writer.write(_example(f"c{number}", label, [1.0], pixels))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    outcome = read_source("tfrecord", path, pixels="raw", image_shape="32x32x3")
    assert [(b.reason, b.line) for b in outcome.bad] == [("damaged_tfrecord", 2)]
    assert len(outcome.records) == 1


def test_prepared_tfrecords_keep_their_clients(tmp_path, prepared, foolbox_pictures):
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, (pixels, label) in enumerate(foolbox_pictures("cifar10")[:4]):
            writer.write(_example(f"c{number % 2}", label, [1.0], pixels))
    options = {"pixels": "raw", "image_shape": "32x32x3"}
    dataset = prepared("tfrecord", path, options, split_fractions=(1.0, 0.0, 0.0))
    assert dataset.read_client("train", "c1")["image"].shape == (2, 32, 32, 3)


@pytest.fixture
def pictures_folder(tmp_path, foolbox_pictures):
    root = tmp_path / "pictures"
    for number, (pixels, label) in enumerate(foolbox_pictures("cifar10")[:6]):
        folder = root / f"user{number % 2}/class{label}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


def test_an_image_folder_names_clients_and_labels(pictures_folder, read_source, foolbox_pictures):
    outcome = read_source("image_folder", pictures_folder)
    names = outcome.reader.label_names
    found = {
        (r.client_id, names[r.features["label"]], r.features["image"].tobytes())
        for r in outcome.records
    }
    assert found == {
        (f"user{number % 2}", f"class{label}", pixels.tobytes())
        for number, (pixels, label) in enumerate(foolbox_pictures("cifar10")[:6])
    }


def test_a_csv_beside_the_images_names_the_clients(pictures_folder, read_source):
    files = sorted(f.relative_to(pictures_folder) for f in pictures_folder.rglob("*.png"))
    lines = [f"{file},{n % 3},writer{n},train" for n, file in enumerate(files)]
    (pictures_folder / "metadata.csv").write_text(
        "\n".join(
            ["file_name,label,client_id,split", *lines, "../x.png,1,w,train", "gone.png,1,w,test"]
        )
    )
    outcome = read_source("image_folder", pictures_folder, size="8x16")
    assert [r.client_id for r in outcome.records] == [f"writer{n}" for n in range(6)]
    assert outcome.records[0].features["image"].shape == (8, 16, 3)
    assert [(b.reason, b.line) for b in outcome.bad] == [("wrong_path", 8), ("unreadable_image", 9)]


def test_images_of_other_sizes_are_named_unless_a_size_is_given(pictures_folder, read_source):
    odd = pictures_folder / "user0/class3/odd.png"
    Image.new("RGB", (5, 7)).save(odd)
    (bad,) = read_source("image_folder", pictures_folder).bad
    assert (bad.reason, bad.file) == ("wrong_size", str(odd))
    assert read_source("image_folder", pictures_folder, size="32x32").bad == []


def test_prepared_image_folders_keep_their_clients(pictures_folder, prepared):
    dataset = prepared("image_folder", pictures_folder, split_fractions=(1.0, 0.0, 0.0))
    assert sorted(dataset.index("train").client_ids) == ["user0", "user1"]


@pytest.fixture
def wikitext(tmp_path):
    """The layout of WikiText-103, with real lines of Shakespeare as its prose."""
    folder = tmp_path / "wikitext-103"
    folder.mkdir()
    prose = (
        " \n = Hamlet = \n \n To be , or not to be \n = = I = = \n that is \n = Lear = \n Blow \n"
    )
    for part in ("train", "valid", "test"):
        (folder / f"wiki.{part}.tokens").write_text(prose)
    return folder


@pytest.mark.parametrize(
    ("clients", "names"),
    [
        ("one", {"all"}),
        ("file", {f"wiki.{part}.tokens" for part in ("train", "valid", "test")}),
        ("article", {f"wiki.{p}.tokens#{n}" for p in ("train", "valid", "test") for n in (1, 2)}),
    ],
)
def test_a_wikitext_folder_is_one_client_or_many(wikitext, read_source, clients, names):
    outcome = read_source("text_files", wikitext, clients=clients)
    assert {r.client_id for r in outcome.records} == names
    assert {r.split for r in outcome.records} == {"train", "validation", "test"}
    assert outcome.texts[1] == "To be , or not to be"
    assert len(outcome.records) == 18


def test_text_that_is_no_utf8_is_named(tmp_path, read_source):
    path = tmp_path / "a.txt"
    path.write_bytes(b"fine\n\xff\xfe\n")
    (bad,) = read_source("text_files", path).bad
    assert (bad.reason, bad.line) == ("not_utf8", 2)


def test_prepared_text_keeps_the_files_splits(wikitext, prepared):
    dataset = prepared("text_files", wikitext, {"clients": "one"})
    assert set(dataset.splits) == {"train", "validation", "test"}
    assert dataset.read_client("train", "all")["text"].numpy()[1] == b"To be , or not to be"


def test_words_among_numbers_as_labels_are_told_with_their_counts(read_source, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("client_id,y\n" + "a,4\n" * 3 + "a,\na,abc\na,abc\n")
    outcome = read_source("csv", tmp_path / "a.csv", label="y")
    assert outcome.reader.label_names == ("", "4", "abc")
    assert "beside 1 whole numbers these become classes, too: '' (1 rows), 'abc' (2 rows)" in (
        capsys.readouterr().err
    )
    (tmp_path / "b.csv").write_text("client_id,y\na,cat\na,dog\n")
    read_source("csv", tmp_path / "b.csv", label="y")
    assert capsys.readouterr().err == ""
