"""A wheel gives a working tool in its own environment, outside any checkout."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOPS = ("data_prep", "fed_pretrain", "groundwork", "pipelines")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "requirements.in"):
        shutil.copy(ROOT / name, source)
    for name in TOPS:
        ignored = shutil.ignore_patterns("__pycache__", "BUILD")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--wheel-dir", str(folder), str(source)),
        ],
        check=True,
    )
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console program of a bare environment that sees the packages, not the checkout."""
    environment = tmp_path_factory.mktemp("bare")
    venv.create(environment, symlinks=True)
    [packages] = (environment / "lib").glob("python3.*/site-packages")
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib"))
    installing = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*installing, "install", *options, str(wheel)], check=True)
    return environment / "bin" / "fed-pretrain"


def run(program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    outside = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    return subprocess.run(
        [program, *arguments], cwd=folder, env=outside, capture_output=True, text=True
    )


@pytest.mark.slow
def test_every_module_and_data_file_is_in_the_wheel(wheel: Path) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for top in TOPS
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix not in (".pyc", "") and path.name != "BUILD"
    }
    assert wanted - set(zipfile.ZipFile(wheel).namelist()) == set()


@pytest.mark.slow
def test_the_installed_program_prepares_trains_reports_and_knows_its_plans(
    program: Path, tmp_path: Path
) -> None:
    commands = (
        ("--version",),
        ("study", "--plan=help"),
        ("prepare", "--source=digits", "--partition=natural", "--output=data"),
        ("train", "--task=digits", "--dataset=data", "--rounds=1", "--workdir=run"),
        ("report", "--runs=run", "--output=report"),
    )
    for arguments in commands:
        done = run(program, tmp_path, *arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    assert (tmp_path / "report" / "index.html").is_file()


@pytest.mark.slow
def test_the_installed_program_names_the_command_that_brings_embedded_data(
    program: Path, tmp_path: Path
) -> None:
    refused = run(program, tmp_path, "prepare", "--source=chitchat", "--output=data")
    assert refused.returncode == 2
    assert "run `python -m fed_pretrain.fetch_embedded`" in refused.stderr
    empty = tmp_path / "archives"
    empty.mkdir()
    refused = run(program, tmp_path, "fetch-embedded", f"--archives={empty}")
    assert refused.returncode == 2
    assert "no file in" in refused.stderr


@pytest.mark.slow
def test_the_metadata_declares_what_is_imported_and_leaves_out_what_cannot_be_resolved(
    program: Path,
) -> None:
    packages = next((program.parents[1] / "lib").glob("python3.*/site-packages"))
    [found] = metadata.distributions(name="fed_pretrain", path=[str(packages)])
    assert "Apache-2.0" in (found.metadata["License"], found.metadata["License-Expression"])
    assert found.metadata["Requires-Python"] in ("<3.12,>=3.11", ">=3.11,<3.12")
    declared = " ".join(found.requires or [])
    assert all(name in declared for name in ("grpcio", "protobuf", "tensorboard", "dp-accounting"))
    assert "tensorflow-federated" not in declared


def test_what_is_declared_in_the_place_of_tensorflow_federated_is_what_it_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("setuptools.setup", lambda **_: None)
    declared = {
        re.split(r"[<=>~]", requirement)[0]
        for requirement in runpy.run_path(str(ROOT / "setup.py"))["required"]()
    }
    asked = {line.split(" ")[0] for line in metadata.requires("tensorflow-federated") or []}
    assert asked <= declared
