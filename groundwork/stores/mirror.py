"""The local place of a URL: what is in the store is brought there, what is written there published.

A place follows from its URL, so every process of a machine finds the same one, and whoever writes
a whole file (groundwork/files.py) publishes it without knowing. The store has the last word: what
a place holds and the store does not is removed when the place is entered again.
"""

import contextlib
import dataclasses
import glob
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from groundwork import from_json
from groundwork.errors import UserError
from groundwork.stores import lease, schemes, store

CACHE_VARIABLE = "FED_PRETRAIN_CACHE"
_pending: set[Path] = set()
_GLOB = re.compile(r"[*?\[]")


def cache_folder() -> Path:
    """Where what was fetched or prepared for the user is kept; FED_PRETRAIN_CACHE moves it."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).resolve() / "fed_pretrain"


def _root() -> Path:
    return cache_folder() / "stores" / "files"


def made_private() -> Path:
    """The folder of all that is here of stores: not for other users of this machine."""
    folder = _root().parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def place(text: str | os.PathLike[str]) -> Path:
    """The local path that stands for `text`: itself, or the place of a URL."""
    if schemes.scheme_of(text) is None:
        return Path(text)
    url = str(text)
    schemes.named(url)
    scheme, _, rest = url.partition("://")
    parts = [part for part in rest.split("/") if part]
    if not parts or any(part.startswith(".") for part in parts):
        raise UserError(f"{url}: a bucket and a path in it are wanted, without hidden folders")
    return _root().joinpath(scheme, *parts)


def address(path: str | os.PathLike[str]) -> str:
    """The URL that a place stands for; any other path as it is."""
    found = _url(Path(path))
    return str(path) if found is None else found


def _url(path: Path) -> str | None:
    root = _root()
    if not path.is_absolute() or root not in path.parents:
        return None
    scheme, *parts = path.relative_to(root).parts
    return None if any(map(_stays, parts)) else f"{scheme}://{'/'.join(parts)}"


def is_remote(text: str | os.PathLike[str]) -> bool:
    return schemes.scheme_of(text) is not None


def here(text: str | os.PathLike[str]) -> Path:
    """A local path with what `text` names: a file with those that begin with its name, a folder.

    What is here as the store has it is not fetched again.
    """
    path = place(text)
    if not is_remote(text):
        return path
    url = address(path)
    for one, token in store.beginning_with(url).items():
        _bring(place(one), token)
    if not path.is_file():
        _bring_folder(path)
    return path


def inputs_here(pattern: str) -> str:
    """The same comma list of files, folders and globs, of what is on this machine."""
    return ",".join(_input_here(part.strip()) for part in pattern.split(","))


def _input_here(part: str) -> str:
    if not is_remote(part):
        return part
    if not _GLOB.search(part):
        return str(here(part))
    found = {place(url) for url in store.matching(part)}
    for path in found:
        here(address(path))
    for stale in set(map(Path, glob.glob(str(place(part)), recursive=True))) - found:
        if stale.is_file():
            stale.unlink()
    return str(place(part))


def file_here(folder: str | os.PathLike[str], name: str) -> Path:
    """One file of a folder, fetched where it is in a store; it may not exist."""
    path = place(folder) / name
    url = _url(path)
    if url is not None:
        token = store.token(url)
        if token is None:
            path.unlink(missing_ok=True)
        else:
            _bring(path, token)
    return path


def _bring_folder(folder: Path) -> None:
    """Makes a folder what the store says it is, but for folders in it that somebody works on."""
    before = [path for path in folder.rglob("*") if path.is_file() and _url(path)]
    there = store.listing(address(folder))
    busy = tuple(name.removesuffix(lease.FILE) for name in there if name.endswith(f"/{lease.FILE}"))
    for name, token in there.items():
        if _url(folder / name) is not None and not name.startswith(busy):
            _bring(folder / name, token)
    for path in before:
        name = str(path.relative_to(folder))
        if name not in there and not name.startswith(busy):
            path.unlink(missing_ok=True)
            _Note.remove(path)
            _pending.discard(path)


def _bring(path: Path, token: str) -> None:
    noted = _Note.of(path)
    if noted is not None and noted.token == token and noted.fits(path):
        return
    made_private()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".fetching-{uuid.uuid4().hex[:12]}")
    try:
        store.get(address(path), temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _Note.write(path, token)


def written(path: Path) -> None:
    """A whole file has come to its place: publishes it, and before it what was appended to."""
    if _url(path) is not None:
        for one in sorted(_pending - {path}):
            _publish(one)
        _publish(path)


def appended(path: Path) -> None:
    """A file grew: it is published before the next whole one."""
    if _url(path) is not None:
        _pending.add(path)


def let_go(path: Path) -> None:
    """Keeps no copy here of a file that is in the store."""
    if _url(path) is not None:
        path.unlink(missing_ok=True)
        _Note.remove(path)


def removed(path: Path) -> None:
    """A file is gone: it goes from the store, too, if it came from here."""
    url = _url(path)
    if url is not None and _Note.of(path) is not None:
        store.remove(url)
        _Note.remove(path)
    _pending.discard(path)


def remove_folder(text: str | os.PathLike[str]) -> None:
    """Removes what is in a folder, here and in its store."""
    folder = place(text)
    shutil.rmtree(folder, ignore_errors=True)
    if is_remote(text):
        shutil.rmtree(_Note.place(folder), ignore_errors=True)
        store.remove_all(address(folder))


def publish(folder: Path, last: str = "", *, alone: bool = False, but: str = "") -> None:
    """Makes the store hold what a folder (or a file) does, the file `last` after all others.

    Only what came from here is removed there; with `alone` all that is not here. The folder `but`
    in it is left as it is.
    """
    if _url(folder) is None:
        return
    if folder.is_file():
        _publish(folder)
        return
    there = store.listing(address(folder))
    left = folder / but if but else None
    paths = [path for path in folder.rglob("*") if path.is_file() and _url(path)]
    paths = [path for path in paths if left not in path.parents]
    for path in sorted(paths, key=lambda path: (path.name == last, path)):
        noted = _Note.of(path)
        if noted is not None and noted.token != there.get(str(path.relative_to(folder))):
            _Note.remove(path)  # Somebody has removed or replaced it there.
        _publish(path)
    for note in list(_Note.place(folder).rglob("*.json")):
        path = folder / note.relative_to(_Note.place(folder)).with_suffix("")
        if not path.exists() and left not in path.parents:
            removed(path)
    strange = store.plain(there) if alone else ()
    for name in strange:
        if not (folder / name).exists():
            store.remove(f"{address(folder)}/{name}")


def _publish(path: Path) -> None:
    _pending.discard(path)
    noted = _Note.of(path)
    if path.is_file() and (noted is None or not noted.fits(path)):
        lease.check_kept(address(path))
        _Note.write(path, store.put(address(path), path))


def _stays(part: str) -> bool:
    """Whether what has this in its path is of one machine only: hidden files, and locks."""
    return part.startswith(".") or part == "lock" or part.endswith(".lock")


@contextlib.contextmanager
def working(text: str | os.PathLike[str], last: str = "", but: str = "") -> Iterator[Path]:
    """The local folder of a work directory; one in a store is this process' own meanwhile.

    It begins as the store has it, and at the end the store has it all, `last` after the rest. What
    is in its folder `but` others may work on, and whoever does publishes it.
    """
    folder = place(text)
    if not is_remote(text):
        yield folder
        return
    with alone(text):
        _bring_folder(folder)
        try:
            yield folder
        finally:
            publish(folder, last, but=but)


@contextlib.contextmanager
def alone(text: str | os.PathLike[str]) -> Iterator[None]:
    """Refuses a folder of a store that cannot be written, or that another process is at work on."""
    if not is_remote(text):
        yield
        return
    made_private()
    with lease.held(f"{address(place(text))}/{lease.FILE}", str(text)):
        yield


@dataclasses.dataclass(frozen=True)
class _Note:
    """What is known of a file that is the same here and in the store."""

    token: str
    bytes: int
    changed: int

    @staticmethod
    def place(path: Path) -> Path:
        return cache_folder() / "stores" / "notes" / path.relative_to(_root())

    @classmethod
    def of(cls, path: Path) -> "_Note | None":
        note = cls.place(path)
        try:
            return cls(**from_json.text(note.with_name(f"{note.name}.json").read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    @classmethod
    def write(cls, path: Path, token: str) -> None:
        status = path.stat()
        note = cls.place(path)
        note.parent.mkdir(parents=True, exist_ok=True)
        temporary = note.with_name(f".tmp-{uuid.uuid4().hex[:12]}")
        value = cls(token, status.st_size, status.st_mtime_ns)
        temporary.write_text(json.dumps(dataclasses.asdict(value)))
        os.replace(temporary, note.with_name(f"{note.name}.json"))

    @classmethod
    def remove(cls, path: Path) -> None:
        note = cls.place(path)
        note.with_name(f"{note.name}.json").unlink(missing_ok=True)

    def fits(self, path: Path) -> bool:
        try:
            status = path.stat()
        except FileNotFoundError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.bytes, self.changed)
