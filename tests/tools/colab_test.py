"""What a notebook's first cell installs, in a virtual environment that holds nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_bare_environment_gets_a_kernel_that_imports_the_package(tmp_path):
    bare, made, kernels = (tmp_path / name for name in ("bare", "made", "kernels"))
    subprocess.run([sys.executable, "-m", "venv", bare], check=True)
    command = [bare / "bin" / "python", ROOT / "tools" / "colab.py", "--no-embedded"]
    places = ["--environment", made, "--kernels", kernels]
    subprocess.run([*command, *places], check=True, cwd=tmp_path)
    [python, *rest] = json.loads((kernels / "python3" / "kernel.json").read_text())["argv"]
    assert rest == ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    asked = "import ipykernel, pandas, fed_pretrain as fp; print(fp.__file__)"
    told = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == str(ROOT / "fed_pretrain" / "__init__.py")
