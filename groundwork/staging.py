"""The hidden folder in which an output is made: it appears at its place only when complete."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from groundwork import files
from groundwork.errors import NO_ROOM, UserError, of_system

REQUEST = "request.txt"
STOPPED = "stopped"
"""Its presence shows the processes of a job that one of them has failed."""


AGAIN = "run the same command, which goes on from what is done"


class Interrupted(UserError):
    """The work stopped, but what is done of it is sound: the same command goes on from there."""


def folder_of(output: Path) -> Path:
    return output.parent / f".{output.name}.preparing"


@contextlib.contextmanager
def staging(output: Path, request: str) -> Iterator[Path]:
    """Yields the staging folder of `output`, locked against a second process.

    What a killed process left for the same request is kept, so its finished pieces are not made
    again; anything else is removed. An error of the user's removes the folder.
    """
    folder = folder_of(output)
    _make(folder)
    descriptor = _locked(folder, output)
    try:
        marker = folder / REQUEST
        if not (marker.exists() and marker.read_text() == request):
            _clear(folder)
            files.write_text(marker, request)
        (folder / STOPPED).unlink(missing_ok=True)
        for left in folder.rglob(f"{files.TEMPORARY_PREFIX}*"):
            left.unlink(missing_ok=True)
        try:
            yield folder
        except Interrupted:
            raise
        except UserError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise Interrupted(of_system(error, AGAIN)) from error
    finally:
        os.close(descriptor)


def sweep(output: Path) -> None:
    """Removes what a process left that was killed after its output had come to its place."""
    folder = folder_of(output)
    if folder.is_dir():
        descriptor = _locked(folder, output)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output: {folder.parent} cannot be written: {error.strerror}") from error


def _locked(folder: Path, output: Path) -> int:
    """The lock goes when its holder dies, whatever killed it: no stale lock is possible."""
    while True:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise UserError(f"--output={output}: another process is preparing it now") from None
        with contextlib.suppress(FileNotFoundError):
            if os.stat(folder).st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)
        _make(folder)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def move_into_place(made: Path, output: Path, *, overwrite: bool) -> None:
    """Gives the finished folder its name in one step; an old one is set aside first."""
    if overwrite and output.exists():
        os.replace(output, made.parent / "replaced")
    elif output.is_dir():
        output.rmdir()  # Empty, or this refuses.
    os.rename(made, output)
    files.sync(output.parent)
