"""The installed copy has its program, its data files and honest metadata."""

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("data_prep", "fed_pretrain", "groundwork", "pipelines"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "BUILD")
        )
    target = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--no-compile", "--target", str(target), str(source)),
        ],
        check=True,
    )
    return target


@pytest.mark.slow
def test_every_module_and_data_file_is_installed(installed: Path) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for top in ("data_prep", "fed_pretrain", "groundwork", "pipelines")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix not in (".pyc", "") and path.name != "BUILD"
    }
    present = {path.relative_to(installed).as_posix() for path in installed.rglob("*")}
    assert wanted - present == set()


@pytest.mark.slow
def test_the_program_lists_its_commands(installed: Path) -> None:
    shown = subprocess.run(
        [sys.executable, str(installed / "bin" / "fed-pretrain"), "--help"],
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "python -m fed_pretrain.train" in shown.stdout


@pytest.mark.slow
def test_the_metadata_names_the_licence_and_no_unresolvable_dependency(installed: Path) -> None:
    [found] = metadata.distributions(name="fed_pretrain", path=[str(installed)])
    assert found.metadata["License"] == "Apache-2.0" or (
        found.metadata["License-Expression"] == "Apache-2.0"
    )
    assert found.metadata["Requires-Python"] in ("<3.12,>=3.11", ">=3.11,<3.12")
    assert not found.requires
