"""One process at a time on a step, also when several studies or machines share its folder."""

import fcntl
from pathlib import Path
from typing import IO

from groundwork.errors import UserError


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
