"""CIFAR-10, Tiny ImageNet and IDX files, made of foolbox's real pictures."""

import gzip
import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from groundwork import embedded_packages
from groundwork.errors import UserError


def _batch(pictures):
    data = np.stack([pixels.transpose(2, 0, 1).ravel() for pixels, _ in pictures])
    return {
        b"batch_label": b"mini",
        b"data": data,
        b"labels": [label for _, label in pictures],
        b"filenames": [b"x.png"] * len(pictures),
    }


@pytest.fixture
def cifar(foolbox_pictures):
    return foolbox_pictures("cifar10")


def _files(pictures, kind):
    """data_batch_1, data_batch_2 and test_batch of real pictures."""
    parts = {
        "data_batch_1": pictures[:8],
        "data_batch_2": pictures[8:14],
        "test_batch": pictures[14:],
    }
    if kind == "python":
        return {name: pickle.dumps(_batch(part), 2) for name, part in parts.items()}
    return {
        f"{name}.bin": b"".join(
            bytes([label]) + pixels.transpose(2, 0, 1).tobytes() for pixels, label in part
        )
        for name, part in parts.items()
    }


def _archive(path, files, folder):
    with tarfile.open(path, "w:gz") as archive:
        for name in sorted(files, reverse=True):  # an archive's order is anyone's guess
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(files[name])
            archive.addfile(member, io.BytesIO(files[name]))
    return path


@pytest.mark.parametrize("kind", ["python", "binary"])
@pytest.mark.parametrize("packed", [True, False])
def test_cifar10_pictures_are_real_in_every_version(tmp_path, read_source, cifar, kind, packed):
    files = _files(cifar, kind)
    if packed:
        path = _archive(tmp_path / f"cifar-10-{kind}.tar.gz", files, "cifar-10-batches")
    else:
        path = tmp_path / "cifar-10-batches"
        path.mkdir()
        for name, content in files.items():
            (path / name).write_bytes(content)
    outcome = read_source("cifar10", path)
    ordered = sorted(outcome.records, key=lambda record: record.order)
    assert [record.split for record in ordered] == ["train"] * 14 + ["test"] * 6
    for record, (pixels, label) in zip(ordered, cifar, strict=True):
        np.testing.assert_array_equal(record.features["image"], pixels)
        assert record.features["label"] == label
    assert outcome.reader.label_names[3] == "cat"


class _RunsCode:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


def test_a_cifar_pickle_that_runs_code_is_refused(tmp_path, read_source, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(_RunsCode()))
    with pytest.raises(UserError, match=r"data_batch_1.*allow list"):
        read_source("cifar10", tmp_path)
    assert not (tmp_path / "pwned").exists()


def test_a_cut_cifar_archive_or_batch_is_refused(tmp_path, read_source, cifar):
    path = _archive(tmp_path / "cifar-10-python.tar.gz", _files(cifar, "python"), "x")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(UserError, match=r"cifar-10-python\.tar\.gz"):
        read_source("cifar10", path)
    (tmp_path / "bin").mkdir()
    content = _files(cifar, "binary")["test_batch.bin"]
    (tmp_path / "bin" / "test_batch.bin").write_bytes(content[:-1])
    with pytest.raises(UserError, match="record 6 has 3072 of 3073"):
        read_source("cifar10", tmp_path / "bin")


def test_a_cifar_label_out_of_range_is_named(tmp_path, read_source, cifar):
    content = bytearray(_files(cifar, "binary")["test_batch.bin"])
    content[3073] = 10
    (tmp_path / "test_batch.bin").write_bytes(content)
    outcome = read_source("cifar10", tmp_path)
    assert [(bad.reason, bad.line) for bad in outcome.bad] == [("wrong_label", 2)]


def test_prepared_cifar10_is_partitioned_for_it_has_no_clients(tmp_path, prepared, cifar):
    path = _archive(tmp_path / "cifar-10-python.tar.gz", _files(cifar, "python"), "x")
    with pytest.raises(UserError, match="natural"):
        prepared("cifar10", path)
    dataset = prepared("cifar10", path, partition="iid", num_clients=3)
    assert dataset.index("train").num_examples.sum() == 14
    assert set(dataset.splits) == {"train", "test"}


def _pixels(dataset, split):
    return {
        image.tobytes()
        for client in dataset.index(split).client_ids
        for image in dataset.read_client(split, client)["image"].numpy()
    }


def test_the_official_test_batch_stays_test_and_validation_is_cut_from_the_rest(
    tmp_path, prepared, cifar
):
    path = _archive(tmp_path / "cifar-10-python.tar.gz", _files(cifar, "python"), "x")
    settings = {"partition": "iid", "num_clients": 2, "split": "source"}
    dataset = prepared("cifar10", path, validation_share=0.3, **settings)
    assert _pixels(dataset, "test") == {pixels.tobytes() for pixels, _ in cifar[14:]}
    train, validation = _pixels(dataset, "train"), _pixels(dataset, "validation")
    assert train | validation == {pixels.tobytes() for pixels, _ in cifar[:14]}
    assert not train & validation
    assert len(validation) == 4  # of clients of 7 each: floor(0.3 * 7 + 1/2)
    assert dataset.manifest.partition["splits"]["validation_share"] == 0.3


@pytest.fixture
def tiny_imagenet(tmp_path):
    """Real photos of ImageNet, 64x64, one of them grey; wnids out of order as published."""
    root = tmp_path / "tiny-imagenet-200"
    photos = sorted((embedded_packages.path("foolbox") / "foolbox/data").glob("imagenet_*.jpg"))[:6]
    wnids = ["n02124075", "n01443537"]
    (root / "val/images").mkdir(parents=True)
    for number, photo in enumerate(photos):
        image = Image.open(photo).convert("L" if number == 1 else "RGB").resize((64, 64))
        wnid = wnids[number % 2]
        folder = root / f"train/{wnid}/images"
        folder.mkdir(parents=True, exist_ok=True)
        name = (
            root / f"val/images/val_{number}.JPEG"
            if number > 3
            else folder / f"{wnid}_{number + 8}.JPEG"
        )
        image.save(name, "JPEG")
    (root / "wnids.txt").write_text("\n".join(wnids) + "\n")
    (root / "words.txt").write_text(
        "n01443537\tgoldfish, Carassius auratus\nn02124075\tEgyptian cat\n"
    )
    (root / "val/val_annotations.txt").write_text(
        "val_4.JPEG\tn02124075\t0\t32\t44\t62\nval_5.JPEG\tn01443537\t0\t0\t63\t63\n"
    )
    return root


def test_tiny_imagenet_classes_are_sorted_wnids_and_grey_becomes_rgb(tiny_imagenet, read_source):
    outcome = read_source("tiny_imagenet", tiny_imagenet.parent)
    assert outcome.bad == []
    assert [(r.split, r.features["label"], r.order) for r in outcome.records] == [
        ("train", 0, 9),
        ("train", 0, 11),
        ("train", 1, 8),
        ("train", 1, 10),
        ("test", 1, 0),
        ("test", 0, 1),
    ]
    grey = outcome.records[0].features["image"]
    assert grey.shape == (64, 64, 3)
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])
    assert outcome.reader.label_names == ("goldfish (n01443537)", "Egyptian cat (n02124075)")
    assert outcome.reader.extra["wnids"] == ["n01443537", "n02124075"]


def test_a_broken_photo_and_an_unknown_class_are_named(tiny_imagenet, read_source):
    photo = sorted((tiny_imagenet / "train").rglob("*.JPEG"))[0]
    photo.write_bytes(photo.read_bytes()[:200])
    annotations = tiny_imagenet / "val/val_annotations.txt"
    annotations.write_text(annotations.read_text() + "val_9.JPEG\tn00000000\t0\t0\t0\t0\n")
    bad = read_source("tiny_imagenet", tiny_imagenet).bad
    assert [(b.reason, b.file, b.line) for b in bad] == [
        ("unreadable_image", str(photo), None),
        ("wrong_label", str(annotations), 3),
    ]


def test_prepared_tiny_imagenet_is_partitioned(tiny_imagenet, prepared):
    dataset = prepared("tiny_imagenet", tiny_imagenet, partition="iid", num_clients=2)
    assert dataset.index("train").num_examples.sum() == 4


def _idx(folder, pictures, gz):
    opener, suffix = (gzip.open, ".gz") if gz else (open, "")
    for prefix, part in (("train", pictures[:15]), ("t10k", pictures[15:])):
        with opener(folder / f"{prefix}-images-idx3-ubyte{suffix}", "wb") as file:
            file.write(struct.pack(">IIII", 0x803, len(part), 28, 28))
            file.write(b"".join(pixels.tobytes() for pixels, _ in part))
        with opener(folder / f"{prefix}-labels-idx1-ubyte{suffix}", "wb") as file:
            file.write(struct.pack(">II", 0x801, len(part)) + bytes(label for _, label in part))


@pytest.mark.parametrize("gz", [True, False])
def test_idx_files_give_the_real_pictures(tmp_path, read_source, foolbox_pictures, gz):
    pictures = foolbox_pictures("fashionMNIST")
    _idx(tmp_path, pictures, gz)
    outcome = read_source("fashion_mnist", tmp_path)
    assert [record.split for record in outcome.records] == ["train"] * 15 + ["test"] * 5
    for record, (pixels, label) in zip(outcome.records, pictures, strict=True):
        np.testing.assert_array_equal(record.features["image"][..., 0], pixels)
        assert record.features["label"] == label
    assert outcome.reader.extra["background"] == 0


def test_cut_or_mismatched_idx_files_are_refused(tmp_path, read_source, foolbox_pictures):
    _idx(tmp_path, foolbox_pictures("fashionMNIST"), gz=False)
    images = tmp_path / "train-images-idx3-ubyte"
    whole = images.read_bytes()
    images.write_bytes(whole[:-5])
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte is truncated: .* item 15"):
        read_source("fashion_mnist", tmp_path)
    images.write_bytes(struct.pack(">IIII", 0x803, 14, 28, 28) + whole[16:])
    with pytest.raises(UserError, match="counts"):
        read_source("fashion_mnist", tmp_path)
    images.write_bytes(b"\x00\x00\x08\x01" + whole[4:])
    with pytest.raises(UserError, match="not an IDX file of images"):
        read_source("fashion_mnist", tmp_path)


def test_prepared_idx_files_are_partitioned(tmp_path, prepared, foolbox_pictures):
    _idx(tmp_path, foolbox_pictures("fashionMNIST"), gz=True)
    dataset = prepared("fashion_mnist", tmp_path, partition="dirichlet", alpha=1.0, num_clients=2)
    assert dataset.index("train").num_examples.sum() == 15
    assert dataset.manifest.label_names[9] == "Ankle boot"
