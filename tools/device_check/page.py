"""Runs the folder's check on this machine, and shows its table on docs/accelerators.md.

`python -m tools.device_check.page FOLDER PYTHON [--minutes=M]`: PYTHON is one with JAX and NumPy
alone. The check is run from a copy of the folder, with no variable of this shell but PATH.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.peers.page import circumstances
from tools import page_tables


def main(folder: Path, python: str, *arguments: str) -> int:
    made = machine.circumstances()
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(folder, place, dirs_exist_ok=True)
        command = ["sh", f"{place}/device_check.sh", *arguments]
        environment = {"PATH": os.environ["PATH"], "PYTHON": os.path.abspath(python)}
        finished = subprocess.run(
            command, cwd="/", env=environment, stdout=subprocess.PIPE, text=True
        )
    print(finished.stdout)
    blocks = {
        "device_check": lambda: f"```text\n{finished.stdout.strip()}\n```\n",
        "device_check_made": lambda: circumstances(made),
    }
    if finished.returncode == 0:
        page_tables.rewrite(page_tables.ROOT / "docs" / "accelerators.md", blocks)
    return finished.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
