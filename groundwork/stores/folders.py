"""A folder that is read in place: a local one, or one of a store."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from groundwork.stores import mirror, store
from groundwork.stores.ranges import LocalFile, RemoteFile


class Folder(Protocol):
    """`path` is where files are once they are brought; `address` is what anybody finds it by."""

    path: Path
    address: str

    def bring(self, name: str) -> Path:
        """The whole file, here; what is not there is not here either."""

    def holds_anything(self) -> bool:
        """Whether there is a file or folder in it, or a file in its place."""

    def sizes(self) -> Mapping[str, int]:
        """The files with their bytes."""

    def status(self, name: str) -> object:
        """What changes whenever the file is another; None where there is none."""

    def open(self, name: str, sha256: str, size: int) -> LocalFile | RemoteFile:
        """The file, of which parts will be read."""


class LocalFolder:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.address = str(self.path)

    def bring(self, name: str) -> Path:
        return self.path / name

    def holds_anything(self) -> bool:
        return self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))

    def sizes(self) -> Mapping[str, int]:
        with os.scandir(self.path) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}

    def status(self, name: str) -> object:
        try:
            status = os.stat(self.path / name)
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def open(self, name: str, sha256: str, size: int) -> LocalFile | RemoteFile:
        return LocalFile(self.path / name)


class RemoteFolder:
    def __init__(self, url: str) -> None:
        self.path = mirror.place(url)
        self.address = mirror.address(self.path)

    def bring(self, name: str) -> Path:
        return mirror.file_here(self.address, name)

    def holds_anything(self) -> bool:
        return bool(store.plain(store.listing(self.address)) or store.token(self.address))

    def sizes(self) -> Mapping[str, int]:
        return store.sizes(self.address)

    def status(self, name: str) -> object:
        return store.token(f"{self.address}/{name}")

    def open(self, name: str, sha256: str, size: int) -> LocalFile | RemoteFile:
        return RemoteFile(f"{self.address}/{name}", sha256, size)


def folder_of(text: str | os.PathLike[str]) -> Folder:
    """The folder of a path or URL; the place of a URL is the folder in the store."""
    url = mirror.address(mirror.place(text))
    return RemoteFolder(url) if mirror.is_remote(url) else LocalFolder(Path(text))
