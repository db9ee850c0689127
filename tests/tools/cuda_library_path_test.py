"""A Python beside the CUDA wheels starts itself again with their folders on the linker's path."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import cuda_library_path

SHOW = (
    "import sys; sys.path.insert(0, sys.argv[1]); import cuda_library_path as c; c.ensure();"
    "import os; print(os.environ.get('LD_LIBRARY_PATH')); print(os.environ.get('XLA_FLAGS'));"
    "print(sys.argv[1:])"
)


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    shutil.copy(cuda_library_path.__file__, tmp_path / "cuda_library_path.py")
    return tmp_path


def start(site_packages: Path, **variables: str) -> list[str]:
    finished = subprocess.run(
        [sys.executable, "-c", SHOW, str(site_packages), "an argument"],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return finished.stdout.splitlines()


def test_the_wheels_folders_come_before_what_was_there(site_packages: Path) -> None:
    for part in ("cublas/lib", "cudnn/lib", "cuda_nvcc/bin"):
        (site_packages / "nvidia" / part).mkdir(parents=True)
    path, flags, arguments = start(site_packages, LD_LIBRARY_PATH="/opt/mine")
    nvidia = site_packages / "nvidia"
    assert path == f"{nvidia}/cublas/lib:{nvidia}/cudnn/lib:/opt/mine"
    assert flags == f"--xla_gpu_cuda_data_dir={nvidia}/cuda_nvcc"
    assert arguments == str([str(site_packages), "an argument"])


def test_without_the_wheels_nothing_changes(site_packages: Path) -> None:
    assert start(site_packages)[:2] == ["None", "None"]
