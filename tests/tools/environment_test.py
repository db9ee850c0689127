"""The installer refuses in one sentence, before it downloads anything, and after a failure."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tools import environment, rooms

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [
    path.relative_to(ROOT).as_posix()
    for folder in (ROOT, ROOT / environment.SIDES)
    for path in sorted(folder.glob("*.lock"))
]
ROOM = 10**12

# What uv 0.13 and pip 23 print when one digit of a hash in the lock is changed.
UV_MISMATCH = """Resolved 134 packages in 415ms
error: Failed to download `absl-py==1.4.0`
  cause: Hash mismatch for `absl-py==1.4.0`

         Expected:
           sha256:0d3fe606adfb4f7db64792dd4c7aee4ee0c38ab75dfd353b7a83ed3e957fcb47
"""
PIP_MISMATCH = """ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If
    absl-py==1.4.0 from somewhere/absl_py-1.4.0-py3-none-any.whl (from -r requirements.lock):
        Expected sha256 0d3fe606adfb4f7db64792dd4c7aee4ee0c38ab75dfd353b7a83ed3e957fcb47
             Got        0d3fe606adfa4f7db64792dd4c7aee4ee0c38ab75dfd353b7a83ed3e957fcb47
"""
UV_OFFLINE = """error: Failed to fetch: `somewhere/absl-py/`
  cause: Request failed after 3 retries
  cause: error sending request for url
  cause: dns error
"""


def test_python_3_11_on_linux_is_accepted() -> None:
    environment.check_machine((3, 11, 2), "Linux", "x86_64", ROOM)


@pytest.mark.parametrize("version", [(3, 9, 1), (3, 10, 0), (3, 12, 1)])
def test_another_python_is_refused_with_the_version_that_works(version: tuple[int, ...]) -> None:
    with pytest.raises(environment.Refused, match=r"Python 3\.\d+ is not supported.*Python 3\.11"):
        environment.check_machine(version, "Linux", "x86_64", ROOM)


def test_another_platform_is_refused() -> None:
    with pytest.raises(environment.Refused, match="Darwin on arm64 is not supported"):
        environment.check_machine((3, 11, 2), "Darwin", "arm64", ROOM)


def test_too_little_disk_is_refused_with_what_is_needed() -> None:
    with pytest.raises(environment.Refused, match=r"only 1\.0 GB .* needs 6 GB"):
        environment.check_machine((3, 11, 2), "Linux", "x86_64", 10**9)


@pytest.mark.parametrize("name", LOCKS)
def test_every_lock_is_pinned_hashed_and_names_no_index(name: str) -> None:
    text = (ROOT / name).read_text()
    environment.check_lock(name, text)
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)
    pins = re.findall(r"^\S+==\S+.*$", text, re.MULTILINE)
    assert pins
    assert all(pin.endswith("\\") or "--hash=" in pin for pin in pins)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_everything_the_short_file_asks_for(name: str) -> None:
    short = (ROOT / name.replace(".lock", ".in")).read_text()
    asked = re.findall(r"^([a-z][a-z0-9-]+)", short, re.MULTILINE)
    assert set(asked) <= set(pins(name))


def test_the_two_locks_of_the_environment_agree_where_they_overlap() -> None:
    run, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: run[name] for name in run.keys() & dev.keys()} == {
        name: dev[name] for name in run.keys() & dev.keys()
    }
    assert not {"pytest", "ruff", "mypy", "hypothesis", "py7zr"} & set(run)


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


def test_everything_the_code_imports_is_declared() -> None:
    declared = {
        re.split(r"[<=>~]", line)[0]
        for line in (ROOT / "requirements.in").read_text().splitlines()
        if line and line[0] != "#"
    }
    extra = {"py7zr", "jax", "jaxlib"}  # the last two are of the worker of --executor=pjrt
    homes = metadata.packages_distributions()
    known = {*sys.stdlib_module_names, *rooms.TOP, "_typeshed"}
    undeclared = {
        f"{path}: {top}"
        for path in rooms.modules().values()
        for top in re.findall(r"^ *(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
        if top in homes and top not in known
        if not {home.lower().replace("_", "-") for home in homes[top]} & {*declared, *extra}
    }
    assert undeclared == set()


def test_the_gpu_lock_holds_tensorflows_cuda_wheels_without_tensorrt() -> None:
    named = {
        requirement.split()[0]
        for requirement in metadata.requires("tensorflow") or []
        if "and-cuda" in requirement and "tensorrt" not in requirement
    }
    text = (ROOT / "requirements-gpu.lock").read_text()
    locked = set(re.findall(r"^(nvidia[a-z0-9-]+)==", text, re.MULTILINE))
    assert {name.split("==")[0].split("(")[0] for name in named} == locked


def test_a_damaged_lock_entry_is_named_by_its_line() -> None:
    text = "numpy==1.25.2 \\\n    --hash=sha256:abc\n"
    with pytest.raises(environment.Refused, match=r"requirements\.lock, line 2 is damaged"):
        environment.check_lock("requirements.lock", text)


@pytest.mark.parametrize("output", [UV_MISMATCH, PIP_MISMATCH])
def test_a_hash_mismatch_names_the_package_and_the_lock(output: str) -> None:
    sentence = environment.explain(output, "requirements.lock")
    assert "absl-py==1.4.0" in sentence
    assert "git checkout requirements.lock" in sentence
    assert "\n" not in sentence


def test_no_network_is_one_sentence() -> None:
    sentence = environment.explain(UV_OFFLINE, "requirements.lock")
    assert sentence.startswith("the package index cannot be reached")
    assert "\n" not in sentence


def test_an_unchanged_environment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = [environment.LOCK, environment.DEV_LOCK, environment.EMBEDDED_LOCK]
    (tmp_path / "groundwork").mkdir()
    for name in locks:
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    monkeypatch.setattr(environment, "STAMP", str(tmp_path / ".stamp"))
    monkeypatch.setattr(environment, "PYTHON", sys.executable)
    monkeypatch.setattr(environment, "bootstrap", lambda: pytest.fail("it began to install"))
    (tmp_path / ".stamp").write_text(environment._digest(locks))
    environment.install("uv", gpu=False)


@pytest.mark.parametrize("program", ["fed_pretrain/train.py", "data_prep/prepare.py"])
def test_a_program_runs_as_a_file_in_another_folder(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_packages", lambda python: str(tmp_path))
    environment.let_files_run(sys.executable)
    start = "import runpy, site, sys; site.addsitedir(sys.argv.pop(1)); sys.argv.pop(0);"
    run = f"{start} sys.path[0] = sys.argv[0].rpartition('/')[0];"
    run += " runpy.run_path(sys.argv[0], run_name='__main__')"
    finished = subprocess.run(
        [sys.executable, "-c", run, str(tmp_path), str(ROOT / program), "--version"],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
    )
    assert finished.stdout.startswith("fed_pretrain"), finished.stderr


@pytest.mark.parametrize("side", [False, True], ids=["in .venv", "beside it"])
def test_what_tensorflow_federated_needs_is_there_before_ours_is_imported(
    side: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_packages", lambda python: str(tmp_path))
    environment.let_files_run(sys.executable)
    if side:
        main, tmp_path = tmp_path, tmp_path / "side"
        tmp_path.mkdir()
        environment._go_beside(str(tmp_path), str(main))
    run = "import os, site, sys; site.addsitedir(sys.argv[1]); import tensorflow_estimator;"
    run += " print(os.environ['TF_USE_LEGACY_KERAS'], 'fed_pretrain' in sys.modules)"
    told = subprocess.check_output(
        [sys.executable, "-S", "-c", run, str(tmp_path)], cwd=tmp_path, env={}, text=True
    )
    assert told.split() == ["1", "False"]


def test_an_interpreter_that_does_not_work_is_one_sentence_of_make(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "groundwork").mkdir()
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-gpu.lock"):
        (tmp_path / name).touch()
    (tmp_path / "groundwork" / "embedded.lock").touch()
    finished = subprocess.run(
        ["make", ".venv", "PYTHON=/nowhere/python"], cwd=tmp_path, capture_output=True, text=True
    )
    assert finished.returncode != 0
    assert "error: '/nowhere/python' is not a working Python 3.11" in finished.stderr


def test_the_lock_is_not_half_restored_when_a_file_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    monkeypatch.setattr(environment, "STAMP", str(tmp_path / ".venv" / ".stamp"))
    monkeypatch.setattr(sys, "argv", ["environment.py", "install"])
    assert environment.main() == 2
    assert "requirements.lock is missing" in capsys.readouterr().err
    assert not (tmp_path / ".venv").exists()
