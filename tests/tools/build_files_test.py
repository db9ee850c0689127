"""The BUILD files say what the imports say."""

import os
import re
from pathlib import Path

import pytest

from tools import build_files

ROOT = build_files.ROOT


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def deps(root: Path, name: str) -> list[str]:
    modules = build_files.find_modules(root)
    return build_files.dependencies(modules[name], modules)


@pytest.mark.skipif("TEST_SRCDIR" in os.environ, reason="Bazel shows a test only its own files")
def test_the_build_files_are_up_to_date() -> None:
    assert build_files.stale(ROOT) == [], "run `make generated`"


@pytest.mark.skipif("TEST_SRCDIR" in os.environ, reason="Bazel shows a test only its own files")
def test_every_python_file_stands_in_a_target() -> None:
    for package in build_files.build_files(ROOT):
        text = (ROOT / package).read_text()
        named = set(re.findall(r'srcs = \[\s*"([^"]+)"', text))
        present = {path.name for path in (ROOT / package).parent.glob("*.py")}
        assert present == named, package


def test_imports_in_functions_count_and_those_for_type_checkers_do_not(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "data_prep/a.py": "import data_prep.b\n"
            "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from data_prep import c\n"
            "def f():\n    from fed_pretrain.d import g\n",
            "data_prep/b.py": "",
            "data_prep/c.py": "",
            "fed_pretrain/d.py": "g = 1\n",
        },
    )
    assert deps(tmp_path, "data_prep.a") == ["//fed_pretrain:d", ":b"]


def test_a_package_is_a_dependency_of_its_modules_and_of_their_importers(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "data_prep/__init__.py": "",
            "data_prep/store/__init__.py": "",
            "data_prep/store/reader.py": "",
            "data_prep/user.py": "from data_prep.store import reader\n",
        },
    )
    assert deps(tmp_path, "data_prep.user") == [
        "//data_prep/store:__init__",
        "//data_prep/store:reader",
        ":__init__",
    ]


def test_modules_named_in_a_registrys_strings_are_dependencies(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "data_prep/registry.py": "import importlib\nMODULES = ('leaf',)\n"
            "def load(name):\n    return importlib.import_module(f'data_prep.kinds.{name}')\n",
            "data_prep/kinds/leaf.py": "",
            "data_prep/kinds/other.py": "",
        },
    )
    assert deps(tmp_path, "data_prep.registry") == ["//data_prep/kinds:leaf"]


def test_binaries_and_tests_are_told_apart(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "fed_pretrain/train.py": "if __name__ == '__main__':\n    pass\n",
            "fed_pretrain/theory/__main__.py": "if __name__ == '__main__':\n    pass\n",
            "fed_pretrain/library.py": "",
            "fed_pretrain/plan.json": "{}",
            "fed_pretrain/__init__.py": "",
            "tests/bazel_main.py": "",
            "tests/conftest.py": "",
            "tests/fed_pretrain/train_test.py": "from fed_pretrain import train\n",
        },
    )
    texts = {str(path): text for path, text in build_files.build_files(tmp_path).items()}
    assert 'py_binary(\n    name = "train"' in texts["fed_pretrain/BUILD"]
    assert 'py_library(\n    name = "library"' in texts["fed_pretrain/BUILD"]
    assert 'data = ["plan.json"]' in texts["fed_pretrain/BUILD"]
    assert (
        'name = "theory",\n    actual = "//fed_pretrain/theory:__main__"'
        in (texts["fed_pretrain/BUILD"])
    )
    test = texts["tests/fed_pretrain/BUILD"]
    assert 'py_test(\n    name = "train_test"' in test
    assert '"//tests:conftest"' in test
    assert '"//fed_pretrain:train"' in test


def test_a_stale_and_a_superfluous_build_file_are_both_named(tmp_path: Path) -> None:
    write(tmp_path, {"data_prep/a.py": "", "data_prep/gone/BUILD": "", "tools/bazel/BUILD": ""})
    assert build_files.stale(tmp_path) == ["data_prep/BUILD", "data_prep/gone/BUILD"]
