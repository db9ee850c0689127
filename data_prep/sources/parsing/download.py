"""Downloads that resume, are checked, and appear only when whole."""

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from data_prep.sources.parsing import compressed
from groundwork import checksums, files
from groundwork.errors import NO_ROOM, UserError, of_system
from groundwork.progress import Progress

PARTIAL_SUFFIX = ".part"
TIMEOUT_SECONDS = 30.0
_CHUNK = 1 << 20


class Download(NamedTuple):
    url: str
    file: str
    sha256: str | None = None
    """None where its publisher gives none: that of what arrived is noted beside the file."""


def fetch(download: Download, folder: str | os.PathLike[str]) -> Path:
    """Brings the file into `folder` and returns its path; a whole one already there is kept."""
    target = Path(folder) / download.file
    if target.exists():
        _check(target, download)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + PARTIAL_SUFFIX)
    try:
        _receive(download.url, partial)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise UserError(of_system(error, "run the same command, which goes on")) from error
        reason = getattr(error, "reason", error)
        raise UserError(
            f"cannot download {download.url} ({reason}): fetch it elsewhere, put it at {target} "
            f"and run the same command again, or name your own file with --input=FILE"
        ) from error
    try:
        _check(partial, download)
    except UserError:
        partial.unlink()  # resuming it could never end well
        raise
    os.replace(partial, target)
    files.sync(target.parent)
    if download.sha256 is None:
        checksums.note(target)
    return target


def _receive(url: str, partial: Path) -> None:
    """Appends to what an earlier try left; starts over where the server cannot resume."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have == _total_when_complete(error):
            return
        raise
    with response:
        resumed = have > 0 and response.status == 206
        done = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        progress = Progress(f"downloading {partial.name.removesuffix(PARTIAL_SUFFIX)}", total)
        with open(partial, "ab" if resumed else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress.update(done, f"{done >> 20} MB")
            file.flush()
            os.fsync(file.fileno())
        progress.close()
    if total is not None and done != total:
        raise ConnectionError(f"the connection broke after {done:,} of {total:,} bytes")


def _total_when_complete(error: urllib.error.HTTPError) -> int | None:
    """A server answers 416 with `bytes */TOTAL` when nothing is left to send."""
    total = (error.headers.get("Content-Range") or "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _check(path: Path, download: Download) -> None:
    if download.sha256 is None:
        checksums.check_noted(path)
        return
    found = checksums.of(path)
    if found != download.sha256:
        raise UserError(
            f"{path} is not the published file: its sha256 is {found}, not {download.sha256}; "
            "remove it and run the same command again"
        )


PREFIX = "download:"
_TFF = "https://storage.googleapis.com/tff-datasets-public"


EMNIST = Download(f"{_TFF}/emnist_all.sqlite.lzma", "emnist_all.sqlite.lzma")
STACK_OVERFLOW = Download(f"{_TFF}/stackoverflow.sqlite.lzma", "stackoverflow.sqlite.lzma")
CIFAR10 = Download(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)


def input_or_download(pattern: str, public: Download) -> str:
    """`pattern` itself, or with download:FOLDER the file that is there afterwards."""
    if not pattern.startswith(PREFIX):
        return pattern
    folder = Path(pattern.removeprefix(PREFIX) or ".")
    unpacked = folder / compressed.stem(public.file)
    return str(unpacked if unpacked.exists() else fetch(public, folder))
