"""The sha256 of files whose publisher gives none: noted beside them when they arrive."""

import hashlib
import sys
from pathlib import Path

from groundwork import files
from groundwork.errors import UserError

SUFFIX = ".sha256"


def of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def note(path: Path) -> None:
    """Writes FILE.sha256 as `sha256sum` does, and says that there is nothing to compare it with."""
    digest = of(path)
    files.write_text(path.with_name(path.name + SUFFIX), f"{digest}  {path.name}\n")
    print(
        f"{path}: its publisher gives no sha256 to check it by; that of this file is {digest}",
        file=sys.stderr,
    )


def check_noted(path: Path) -> None:
    """Refuses a file that is not as it arrived; says nothing of one that was brought by hand."""
    noted = path.with_name(path.name + SUFFIX)
    if not noted.is_file():
        return
    words = noted.read_text("utf-8", errors="replace").split()
    if not words or of(path) != words[0]:
        raise UserError(f"{path} is not as it arrived ({noted.name} differs): remove both")
