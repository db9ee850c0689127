"""Runs pytest on the file that a generated py_test names."""

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    root = Path(__file__).absolute().parent.parent
    os.chdir(root)
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        f"--rootdir={root}",
        "-c",
        str(root / "pyproject.toml"),
    ]
    sys.exit(pytest.main([*options, *sys.argv[1:]]))
