"""Kernel locks that a dead owner cannot hold: on a work directory, and on a step of a study."""

import contextlib
import fcntl
import json
import os
import socket
from pathlib import Path
from typing import IO

from groundwork import from_json
from groundwork.errors import UserError
from groundwork.stores import lease, mirror


def _locked(path: Path) -> IO[str] | None:
    """The open file of a kernel lock (flock); None when another process holds it.

    The file itself stays when the lock goes: unlinking it would let two processes hold locks on two
    different inodes of the same name.
    """
    try:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise UserError(f"--workdir: cannot write {path} ({error.strerror})") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if isinstance(error, BlockingIOError):
            return None
        raise UserError(
            f"{path} cannot be locked ({error.strerror}): put --workdir on a file system that"
            " supports flock"
        ) from error
    return file


class WorkdirLock:
    """A lock on the file `lock`, which names its owner's host and pid.

    The kernel drops the lock however its owner ends, so the record of a dead owner is stale by
    construction and is overwritten. Only a holder that removes the whole folder removes the file,
    too, and whoever was waiting for that file is refused.
    """

    def __init__(self, workdir: str | os.PathLike[str]) -> None:
        self._path = Path(workdir) / "lock"
        self._file: IO[str] | None = None
        self.stale_owner: str | None = None

    def acquire(self) -> None:
        file = _locked(self._path)
        if file is None:
            raise UserError(
                f"--workdir: {self._path.parent} is in use by {self._holder()};"
                " wait for it or give another --workdir"
            )
        if os.fstat(file.fileno()).st_nlink == 0:
            file.close()
            raise UserError(
                f"--workdir: another process has just removed {self._path.parent}; give the same"
                " command again"
            )
        self.stale_owner = _owner(file)
        self._record(file, {"host": socket.gethostname(), "pid": os.getpid()})
        self._file = file

    def _holder(self) -> str:
        try:
            with open(self._path, encoding="utf-8") as file:
                return _owner(file) or "another process"
        except OSError:
            return "another process"

    def release(self) -> None:
        if self._file is not None:
            self._record(self._file, None)
            self._file.close()
            self._file = None

    def _record(self, file: IO[str], owner: dict[str, object] | None) -> None:
        file.seek(0)
        file.truncate()
        if owner:
            json.dump(owner, file)
        file.flush()

    def __enter__(self) -> "WorkdirLock":
        self.acquire()
        return self

    def __exit__(self, *unused: object) -> None:
        self.release()


class StepLock:
    """A lock on a file beside the step's output: it goes when its holder dies.

    Where the output is in a store it is a lease, too, and meanwhile the output is here.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._path = output.with_name(output.name + ".lock")
        self._held = contextlib.ExitStack()

    def acquire(self) -> bool:
        """False when another process has it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"--workdir: cannot make the folder {self._path.parent} ({error.strerror})"
            ) from error
        file = _locked(self._path)
        if file is None:
            return False
        with contextlib.ExitStack() as held, contextlib.suppress(lease.InUse):
            held.enter_context(file)
            held.enter_context(mirror.working(mirror.address(self._output)))
            self._held = held.pop_all()
            return True
        return False

    def release(self) -> None:
        self._held.close()


def _owner(file: IO[str]) -> str | None:
    """Who the file says holds the lock; None when it names nobody."""
    file.seek(0)
    try:
        record = from_json.text(file.read())
        return f"process {record['pid']} on {record['host']}"
    except (ValueError, KeyError, TypeError):
        return None
