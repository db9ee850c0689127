"""Only the pinned Fashion-MNIST files are kept, and half a set never is."""

import hashlib
from pathlib import Path

import pytest

from groundwork import embedded_packages
from groundwork.errors import UserError
from tools import fashion_mnist


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    pinned = {}
    for name in ("images.gz", "labels.gz"):
        (folder / name).write_bytes(name.encode())
        pinned[name] = hashlib.sha256(name.encode()).hexdigest()
    monkeypatch.setattr(embedded_packages, "FASHION_MNIST_FILES", pinned)
    return folder


def test_the_pinned_files_are_kept(tmp_path: Path, source: Path) -> None:
    kept = fashion_mnist.keep(source, tmp_path)
    assert sorted(path.name for path in kept.iterdir()) == ["images.gz", "labels.gz"]


def test_another_file_is_refused_and_nothing_is_kept(tmp_path: Path, source: Path) -> None:
    (source / "labels.gz").write_bytes(b"another")
    with pytest.raises(UserError, match=r"labels\.gz is not the file"):
        fashion_mnist.keep(source, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_system_without_apt_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="FED_PRETRAIN_PACKAGES"):
        fashion_mnist.install(tmp_path)
