"""The one exception that means: the user can mend this."""

import difflib
import errno
import re
from collections.abc import Iterable, Sequence

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The system's numbers for a disk, a quota or a file's largest size that is reached."""


_LONGEST_LINE = 900
_LONGEST_WORDS = 300


class UserError(Exception):
    """A user's mistake, in one sentence that names the flag, file or line to change."""

    def __str__(self) -> str:
        """Without the middle of a line that quotes something without end."""
        return "\n".join(
            line if len(line) <= _LONGEST_LINE else f"{line[:600]} ... {line[-200:]}"
            for line in super().__str__().split("\n")
        )


_PASSWORD = re.compile(r"(\w://)[^/@\s]*:[^/@\s]*@")


def without_passwords(text: str) -> str:
    """Words of another library, which may quote an address with the user's password in it."""
    return _PASSWORD.sub(r"\1***@", text)


def words_of(error: object) -> str:
    """What another library says of its failure: one line, which a sentence of ours may quote."""
    said = error.args[0] if isinstance(error, KeyError) and error.args else error
    words = " ".join(str(said).split()) or type(error).__name__
    return without_passwords(words)[:_LONGEST_WORDS]


def nearest(word: str, words: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def check_choice(flag: str, value: object, choices: Iterable[object]) -> None:
    """Refuses a value that is none of the choices, with the nearest one."""
    listed = [str(choice) for choice in choices]
    if str(value) not in listed:
        raise UserError(
            f"{flag}={value} is not one of {', '.join(listed)}{nearest(str(value), listed)}"
        )


def of_system(error: OSError, again: str = "run the same command again") -> str:
    """The sentence for what the system refused, with the file it is about."""
    where = f" while writing {error.filename}" if error.filename else ""
    if error.errno == errno.EFBIG:
        return f"a file grew too large{where}: raise the limit (ulimit -f) and {again}"
    if error.errno == errno.EDQUOT:
        return f"the disk quota is reached{where}: free some space of yours and {again}"
    if error.errno in NO_ROOM:
        return f"the disk is full{where}: free some space and {again}"
    return f"{error.filename or 'a file'}: {error.strerror or error}"
