"""The few calls that are made of a store, by URL: retried, and a last refusal in one sentence."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from groundwork.errors import UserError, words_of
from groundwork.stores import schemes
from groundwork.untyped import FileSystem, Json

Value = TypeVar("Value")
_PAUSES = (0.5, 2.0, 5.0)
_TOKENS = ("ETag", "etag", "generation", "md5Hash", "checksum", "mtime", "LastModified", "created")


def listing(url: str) -> dict[str, str]:
    """Every file below a folder, by its path in it, with a token of its content."""
    try:
        found: dict[str, Mapping[str, Json]] = _call(
            url, lambda files, path: files.find(path, detail=True)
        )
    except FileNotFoundError:
        return {}
    root = _path(url).rstrip("/") + "/"
    return {
        name.removeprefix(root): _token(facts)
        for name, facts in found.items()
        if name.startswith(root) and not name.endswith("/")
    }


def sizes(url: str) -> dict[str, int]:
    """The files of a folder with their bytes."""
    found: dict[str, Mapping[str, Json]] = _call(
        url, lambda files, path: files.find(path, maxdepth=1, detail=True)
    )
    return {name.rpartition("/")[2]: int(facts["size"]) for name, facts in found.items()}


def token(url: str) -> str | None:
    """What changes whenever the file does; None where there is no such file."""
    try:
        facts: Mapping[str, Json] = _call(url, lambda files, path: files.info(path))
    except FileNotFoundError:
        return None
    return _token(facts) if facts["type"] == "file" else None


def beginning_with(url: str) -> dict[str, str]:
    """The files beside `url` whose names begin with its own, with their tokens."""
    folder, _, start = url.rpartition("/")
    try:
        found: list[Mapping[str, Json]] = _call(
            folder, lambda files, path: files.ls(path, detail=True)
        )
    except FileNotFoundError:
        return {}
    named = {facts["name"].rpartition("/")[2]: facts for facts in found if facts["type"] == "file"}
    return {
        f"{folder}/{name}": _token(facts) for name, facts in named.items() if name.startswith(start)
    }


def matching(pattern: str) -> list[str]:
    """The URLs that a pattern with * and ** names, files only."""
    scheme = schemes.scheme_of(pattern)
    found: list[str] = _call(pattern, lambda files, path: files.glob(path))
    return sorted(f"{scheme}://{name.lstrip('/')}" for name in found)


def get(url: str, to: Path) -> None:
    _call(url, lambda files, path: files.get_file(path, str(to)))


def read(url: str, start: int, end: int) -> bytes:
    content: bytes = _call(url, lambda files, path: files.cat_file(path, start=start, end=end))
    return content


def put(url: str, file: Path) -> str:
    """Puts a whole file in its place, and returns its token."""
    whole = schemes.named(url).replaces_whole

    def send(files: FileSystem, path: str) -> None:
        if whole:
            files.put_file(str(file), path)
            return
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.put_file(str(file), f"{path}.part")
        with contextlib.suppress(FileNotFoundError):
            files.rm_file(path)
        files.mv(f"{path}.part", path)

    _call(url, send, writes=True)
    return token(url) or ""


def create(url: str, content: bytes) -> bool:
    """Writes a small file where there is none; False where there is one."""
    whole = schemes.named(url).replaces_whole

    def send(files: FileSystem, path: str) -> bool:
        if not whole:
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            files.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
        return True

    return _call(url, send, writes=True)


def overwrite(url: str, content: bytes) -> None:
    _call(url, lambda files, path: files.pipe_file(path, content), writes=True)


def remove(url: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        _call(url, lambda files, path: files.rm_file(path))


def remove_all(url: str) -> None:
    """Every file below a folder, but the hidden one that says who is at work there."""
    for name in plain(listing(url)):
        remove(f"{url.rstrip('/')}/{name}")


def plain(names: Iterable[str]) -> list[str]:
    """Those that are not hidden."""
    return [name for name in names if not name.rpartition("/")[2].startswith(".")]


def _call(url: str, action: Callable[[FileSystem, str], Value], *, writes: bool = False) -> Value:
    """Whatever a store answers, but that there is no such file, may be over in a moment."""
    schemes.named(url)
    for pause in (*_PAUSES, None):
        try:
            files, path = _opened(url)
            files.invalidate_cache()
            return action(files, path)
        except FileNotFoundError as error:
            if not writes:
                raise
            raise UserError(f"{url}: there is no such bucket or folder to write to") from error
        except Exception as error:  # each library has its own exceptions
            if pause is None:
                raise _refusal(url, error) from error
            time.sleep(pause)
    raise AssertionError


def _refusal(url: str, error: Exception) -> UserError:
    return UserError(
        f"{url}: the store refused {len(_PAUSES) + 1} times ({words_of(error)}); what it holds is"
        " whole: check the address and your credentials, and give the same command again"
    )


def _opened(url: str) -> tuple[FileSystem, str]:
    """fsspec's file system, which it keeps, and the path in it."""
    from fsspec.core import url_to_fs

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    options = {"endpoint_url": endpoint} if url.startswith("s3://") and endpoint else {}
    files, path = url_to_fs(url, **options)
    return files, path


def _path(url: str) -> str:
    return _opened(url)[1]


def _token(facts: Mapping[str, Json]) -> str:
    """What a store says of a file that changes with it."""
    return "/".join([str(facts["size"]), *(str(facts[one]) for one in _TOKENS if facts.get(one))])
