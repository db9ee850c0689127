"""Who is at work on a folder of a store: a small file, renewed while its owner lives.

A store has no lock that goes with its holder. The file is created only where there is none, by a
conditional write where the store knows them; one that was not renewed for a while, or whose owner
on this machine has ended, is taken over.
"""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

from groundwork import from_json, owners
from groundwork.errors import UserError
from groundwork.stores import store
from groundwork.untyped import Json

FILE = ".fed_pretrain-in-use.json"
_RENEWED_EVERY, _STALE_AFTER = 20.0, 90.0
_LONGEST = 1 << 12
_lost: set[str] = set()


class InUse(UserError):
    """Somebody else is at work there."""


@contextlib.contextmanager
def held(url: str, folder: str) -> Iterator[None]:
    """Holds the lease meanwhile; refuses a folder that somebody else is at work on."""
    mark = owners.mark()
    if not store.create(url, _content(mark)):
        _check_over(url, folder)
        store.overwrite(url, _content(mark))
        if _owner(url).get("mark") != mark:
            raise InUse(f"{folder}: another process has just begun to work there; try again")
    _lost.discard(url)
    ended = threading.Event()
    renewal = threading.Thread(target=_renew, args=(url, mark, ended), daemon=True)
    renewal.start()
    try:
        yield
    finally:
        ended.set()
        renewal.join()
        if _owner(url).get("mark") == mark:
            store.remove(url)


def check_kept(url: str) -> None:
    """Refuses to write where another process took over, after this one had been silent too long."""
    for lost in _lost:
        folder = lost.removesuffix(FILE)
        if url.startswith(folder):
            raise UserError(
                f"{folder} was taken over by another process while this one was stopped or without"
                " the store; it goes on there, and this one ends"
            )


def _content(mark: str) -> bytes:
    value = {"host": socket.gethostname(), "mark": mark, "renewed": time.time()}
    return json.dumps(value).encode()


def _check_over(url: str, folder: str) -> None:
    """Refuses a lease that somebody holds."""
    owner = _owner(url)
    age = time.time() - float(owner.get("renewed", 0))
    if owners.is_dead(str(owner.get("mark", ""))) or age > _STALE_AFTER:
        return
    raise InUse(
        f"{folder}: is in use on {owner.get('host')}, which was there {age:.0f} s ago; wait for it,"
        f" or, if it was killed, give the same command again in {_STALE_AFTER - age:.0f} s"
    )


def _owner(url: str) -> dict[str, Json]:
    try:
        value = from_json.text(store.read(url, 0, _LONGEST))
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _renew(url: str, mark: str, ended: threading.Event) -> None:
    """A store that does not answer now will be asked again; the work itself will say so."""
    while not ended.wait(_RENEWED_EVERY):
        with contextlib.suppress(UserError, FileNotFoundError):
            if _owner(url).get("mark", mark) != mark:
                _lost.add(url)
                return
            store.overwrite(url, _content(mark))
