"""Brings Fashion-MNIST out of Debian's package into the environment; needs no root."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from groundwork import embedded_packages
from groundwork.errors import UserError

DISTRIBUTION = "dataset-fashion-mnist"
NAME = "fashion_mnist"


def install(destination: Path) -> Path:
    """Downloads the package by apt-get, checks the four files' pinned hashes and keeps them."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise UserError(
                f"{tool} is missing: on another system than Debian or Ubuntu put the four "
                f"*-ubyte.gz files in a folder {NAME} named by "
                f"{embedded_packages.SEARCH_PATH_VARIABLE}"
            )
    destination.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination) as temporary:
        _run(["apt-get", "download", "-q", DISTRIBUTION], temporary)
        [archive] = Path(temporary).glob("*.deb")
        _run(["dpkg-deb", "-x", str(archive), "unpacked"], temporary)
        return keep(Path(temporary) / "unpacked/usr/share/datasets/fashion-mnist", destination)


def keep(source: Path, destination: Path) -> Path:
    """Copies the pinned files of `source` to destination/fashion_mnist, whole or not at all."""
    partial, final = destination / f".tmp-{NAME}", destination / NAME
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name, sha256 in embedded_packages.FASHION_MNIST_FILES.items():
        shutil.copyfile(source / name, partial / name)
        if embedded_packages.sha256_of(partial / name) != sha256:
            shutil.rmtree(partial)
            raise UserError(
                f"{source / name} is not the file that groundwork/embedded_packages.py pins"
            )
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    return final


def _run(command: list[str], folder: str) -> None:
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if finished.returncode != 0:
        said = finished.stderr.strip().splitlines()[-1:] or ["no output"]
        cure = "run `apt-get update` as root once, or check the network"
        raise UserError(f"`{' '.join(command)}` failed ({said[0]}): {cure}")


if __name__ == "__main__":
    try:
        print(f"fashion_mnist: {install(embedded_packages.installed_root())}")
    except UserError as error:
        sys.exit(f"error: {error}")
