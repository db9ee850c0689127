"""Makes the environment of the notebooks and gives it to the notebook server as its kernel.

For a bare Colab, whose own Python is newer than what TensorFlow Federated works with: uv brings a
Python 3.11, which goes beside Colab's, and the hashed locks decide every package. Afterwards the
session has to be restarted once. Needs Python 3.8 or newer, and the package index.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from environment import let_files_run

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOCKS = ("requirements.lock", "environments/notebooks.lock")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", default=os.path.join(ROOT, ".cache", "colab"))
    parser.add_argument(
        "--kernels",
        default=os.path.expanduser("~/.local/share/jupyter/kernels"),
        help="where the notebook server looks for kernels",
    )
    parser.add_argument("--no-embedded", action="store_true", help="without embedded data")
    arguments = parser.parse_args()
    python = make_environment(arguments.environment)
    if not arguments.no_embedded:
        run([python, "-m", "fed_pretrain.fetch_embedded"])
    write_kernel(arguments.kernels, python)
    print("done: restart the session (Runtime > Restart session), then run all cells")
    return 0


def make_environment(folder):
    """Python 3.11 with exactly the locked packages, and this checkout on its path."""
    uv = installed_uv()
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        run([uv, "venv", "--quiet", "--python", "3.11", folder])
    locks = [part for lock in LOCKS for part in ("-r", os.path.join(ROOT, lock))]
    exactly = ["--quiet", "--no-deps", "--require-hashes", *locks]
    run([uv, "pip", "install", "--python", python, *exactly])
    let_files_run(python)
    return python


def installed_uv():
    """The pinned uv, in its own folder: nothing of the server's packages changes."""
    folder = tempfile.mkdtemp(prefix="uv_")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    lock = os.path.join(ROOT, "requirements-bootstrap.lock")
    run([*pip, "--no-deps", "--require-hashes", "--target", folder, "-r", lock])
    return os.path.join(folder, "bin", "uv")


def write_kernel(folder, python):
    """Under the name of the server's own kernel, which it takes the place of."""
    place = os.path.join(folder, "python3")
    os.makedirs(place, exist_ok=True)
    kernel = {
        "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3.11 (fed_pretrain)",
        "language": "python",
    }
    with open(os.path.join(place, "kernel.json"), "w") as file:
        json.dump(kernel, file)


def run(command):
    print("$", " ".join(command), flush=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


if __name__ == "__main__":
    sys.exit(main())
