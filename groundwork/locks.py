"""Kernel locks that a dead owner cannot hold: on a work directory, and on a step of a study."""

import fcntl
import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import IO

from groundwork.errors import UserError


class WorkdirLock:
    """A kernel lock (flock) on the file `lock`, which names its owner's host and pid.

    The kernel drops the lock however its owner ends, so the record of a dead owner is stale by
    construction and is overwritten. The file itself stays: unlinking it would let two processes
    hold locks on two different inodes of the same name. Only a holder that removes the whole folder
    removes it, too, and whoever was waiting for that file is refused.
    """

    def __init__(self, workdir: str | os.PathLike[str]) -> None:
        self._path = Path(workdir) / "lock"
        self._file: IO[str] | None = None
        self.stale_owner: str | None = None

    def acquire(self) -> None:
        try:
            file = open(self._path, "a+", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise UserError(f"--workdir: cannot write {self._path} ({error.strerror})") from error
        owner = _owner(file)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise UserError(
                f"--workdir: {self._path.parent} is in use by {owner or 'another process'};"
                " wait for it or give another --workdir"
            ) from error
        if os.fstat(file.fileno()).st_nlink == 0:
            file.close()
            raise UserError(
                f"--workdir: another process has just removed {self._path.parent}; give the same"
                " command again"
            )
        self.stale_owner = owner
        self._record(file, {"host": socket.gethostname(), "pid": os.getpid()})
        self._file = file

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class StepLock:
    """A kernel lock (flock) on a file beside the step's output: it goes when its holder dies.

    The file stays: unlinking it would let two processes hold locks on two files of the same name.
    """

    def __init__(self, output: Path) -> None:
        self._path = output.with_name(output.name + ".lock")
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """False when another process has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        except OSError as error:
            file.close()
            raise UserError(
                f"{self._path} cannot be locked ({error.strerror}): put --workdir on a file system"
                " that supports flock"
            ) from error
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _owner(file: IO[str]) -> str | None:
    """Who the file says holds the lock; None when it names nobody."""
    file.seek(0)
    try:
        record = json.load(file)
        return f"process {record['pid']} on {record['host']}"
    except (ValueError, KeyError):
        return None
