"""The shared conftest skips the slow set by default and leaves no TFF worker process behind."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests import conftest

TESTS = """
import os, pathlib, shutil, subprocess, pytest

@pytest.mark.slow
def test_slow():
    pass

def test_leaves_a_worker_behind():
    here = pathlib.Path(__file__).parent
    worker = shutil.copy(shutil.which("sleep"), here / "worker_binary")
    started = subprocess.Popen(["setsid", worker, "300"], env=dict(os.environ, **ENVIRONMENT))
    (here / "pid").write_text(str(started.pid))
"""


def run_pytest(folder: Path, *options: str, environment: str = "{}") -> str:
    shutil.copy(conftest.__file__, folder / "conftest.py")
    (folder / "toy_test.py").write_text(TESTS.replace("ENVIRONMENT", environment))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow\npython_files = *_test.py\n")
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return finished.stdout


def runs(pid: int) -> bool:
    """Whether the process is there and not merely unreaped."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ends(pid: int) -> bool:
    """Whether the process ends soon: it is gone some time after the signal was sent."""
    deadline = time.monotonic() + 20
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not runs(pid)


@pytest.mark.parametrize("options", [["--slow"], ["-m", "slow or not slow"]])
def test_the_slow_set_runs_when_asked_for(tmp_path: Path, options: list[str]) -> None:
    assert "2 passed" in run_pytest(tmp_path, *options)


def test_the_slow_set_is_skipped_and_worker_processes_are_ended(tmp_path: Path) -> None:
    assert "1 passed, 1 skipped" in run_pytest(tmp_path)
    assert ends(int((tmp_path / "pid").read_text()))


def test_another_sessions_worker_is_left_alone(tmp_path: Path) -> None:
    other = f'{{"{conftest.SESSION_VARIABLE}": "another"}}'
    run_pytest(tmp_path, environment=other)
    worker = int((tmp_path / "pid").read_text())
    assert runs(worker)
    psutil.Process(worker).kill()
