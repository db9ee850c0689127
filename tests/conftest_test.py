"""The shared conftest skips the slow set by default and leaves no TFF worker process behind."""

import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests import conftest
from tests.processes import runs, still_running

ROOT = Path(conftest.__file__).parents[1]
TESTS = """
import os, pathlib, psutil, shutil, subprocess, time, pytest

@pytest.mark.slow
def test_slow():
    pass

def test_leaves_a_worker_behind():
    here = pathlib.Path(__file__).parent
    worker = shutil.copy(shutil.which("sleep"), here / "worker_binary")
    environment = dict(os.environ, **ENVIRONMENT)
    started = subprocess.Popen([worker, "3000"], env=environment, start_new_session=True)
    while "PATH" not in psutil.Process(started.pid).environ():
        time.sleep(0.01)  # until the kernel shows the new program's name and environment
    (here / "pid").write_text(str(started.pid))
"""


def run_pytest(folder: Path, *options: str, environment: str = "{}") -> str:
    shutil.copy(conftest.__file__, folder / "conftest.py")
    (folder / "toy_test.py").write_text(TESTS.replace("ENVIRONMENT", environment))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow\npython_files = *_test.py\n")
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return finished.stdout


@pytest.mark.parametrize("options", [["--slow"], ["-m", "slow or not slow"]])
def test_the_slow_set_runs_when_asked_for(tmp_path: Path, options: list[str]) -> None:
    assert "2 passed" in run_pytest(tmp_path, *options)


def test_the_slow_set_is_skipped_and_worker_processes_are_ended(tmp_path: Path) -> None:
    assert "1 passed, 1 skipped" in run_pytest(tmp_path)
    assert still_running([int((tmp_path / "pid").read_text())]) == []


def test_another_sessions_worker_is_left_alone(tmp_path: Path) -> None:
    other = f'{{"{conftest.SESSION_VARIABLE}": "another"}}'
    run_pytest(tmp_path, environment=other)
    worker = int((tmp_path / "pid").read_text())
    assert runs(worker)
    psutil.Process(worker).kill()
