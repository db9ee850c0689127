"""Archives are unpacked whole or not at all, and none of their code is ever run."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from groundwork import embedded_archives, embedded_packages
from groundwork.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CONTENT = b"1,2,3\n"
HASH = hashlib.sha256(CONTENT).hexdigest()
PACKAGE = embedded_packages.Package("toy-data", "MIT", ("toy/data.csv",), {"toy/data.csv": HASH})


@pytest.fixture(autouse=True)
def toy_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_packages, "PACKAGES", {"toy": PACKAGE})


def make_sdist(folder: Path, members: dict[str, bytes]) -> Path:
    archive = folder / "toy_data-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(f"toy_data-1.0/{name}")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return archive


def test_only_the_wanted_files_and_licences_are_unpacked(tmp_path: Path) -> None:
    members = {"toy/data.csv": CONTENT, "toy/code.py": b"raise SystemExit", "LICENSE": b"MIT"}
    folder = embedded_archives.unpack(make_sdist(tmp_path, members), "toy", tmp_path / "out")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"toy/data.csv", "LICENSE", embedded_packages.LISTING}


def test_a_wheel_is_unpacked_like_an_sdist(tmp_path: Path) -> None:
    archive = tmp_path / "toy_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("toy/data.csv", CONTENT)
    folder = embedded_archives.unpack(archive, "toy", tmp_path / "out")
    assert (folder / "toy/data.csv").read_bytes() == CONTENT


def test_a_file_with_another_hash_is_refused_and_leaves_nothing_readable(tmp_path: Path) -> None:
    archive = make_sdist(tmp_path, {"toy/data.csv": b"other"})
    with pytest.raises(UserError, match=r"toy/data\.csv is not the file"):
        embedded_archives.unpack(archive, "toy", tmp_path / "out")
    assert not (tmp_path / "out" / "toy").exists()


def test_leftovers_of_a_killed_unpacking_are_replaced(tmp_path: Path) -> None:
    leftover = tmp_path / "out" / ".tmp-toy" / "toy"
    leftover.mkdir(parents=True)
    (leftover / "data.csv").write_bytes(b"half")
    archive = make_sdist(tmp_path, {"toy/data.csv": CONTENT})
    folder = embedded_archives.unpack(archive, "toy", tmp_path / "out")
    assert (folder / "toy/data.csv").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["toy"]


def test_a_member_that_would_leave_the_folder_is_refused(tmp_path: Path) -> None:
    archive = make_sdist(tmp_path, {"../../escaped": b"x", "toy/data.csv": CONTENT})
    with pytest.raises(UserError, match="would leave the folder"):
        embedded_archives.unpack(archive, "toy", tmp_path / "out")


def test_an_archive_that_the_lock_does_not_pin_is_not_unpacked(tmp_path: Path) -> None:
    archives = tmp_path / "archives"
    archives.mkdir()
    make_sdist(archives, {"toy/data.csv": CONTENT})
    lock = tmp_path / "embedded.lock"
    lock.write_text(f"toy-data==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(UserError, match=r"no file in .* is the toy-data that"):
        embedded_archives.unpack_all(archives, lock, tmp_path / "out")


def test_a_damaged_lock_is_named_by_its_line(tmp_path: Path) -> None:
    lock = tmp_path / "embedded.lock"
    lock.write_text("# comment\ntoy-data==1.0 --hash=sha256:12\n")
    with pytest.raises(UserError, match="line 2"):
        embedded_archives.read_lock(lock)


def test_downloading_an_sdist_does_not_run_its_setup(tmp_path: Path) -> None:
    shop, downloads, trace = tmp_path / "shop", tmp_path / "downloads", tmp_path / "setup_ran"
    shop.mkdir()
    setup = f"open({str(trace)!r}, 'w').close()\nraise SystemExit(1)\n".encode()
    info = b"Metadata-Version: 2.1\nName: toy-data\nVersion: 1.0\n"
    archive = make_sdist(shop, {"setup.py": setup, "PKG-INFO": info, "toy/data.csv": CONTENT})
    lock = tmp_path / "toy.lock"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    lock.write_text(f"toy-data==1.0 --hash=sha256:{digest}\n")
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "-q"),
            *("--no-build-isolation", "--use-pep517", "--no-index", "--find-links", str(shop)),
            *("-d", str(downloads), "-r", str(lock)),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "groundwork" / "metadata_only")},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    assert (downloads / archive.name).is_file()
    assert not trace.exists()


def test_the_embedded_locks_pin_every_package_of_the_catalogue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    default = embedded_archives.read_lock(embedded_archives.LOCKS[False])
    large = embedded_archives.read_lock(embedded_archives.LOCKS[True])
    catalogue = embedded_packages.PACKAGES.values()
    assert set(default) == {p.distribution for p in catalogue if not p.large}
    assert set(large) == {p.distribution for p in catalogue if p.large}
