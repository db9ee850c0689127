"""The small files of text that a flag names."""

from pathlib import Path

from groundwork.errors import UserError, words_of

_MOST = 64 << 20


def read(flag: str, path: Path) -> str:
    """Its content, if it is UTF-8 and no larger than such a file may be."""
    try:
        with open(path, encoding="utf-8") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise UserError(f"{flag}={path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{flag}={path} is not UTF-8 text: {words_of(error)}") from error
    if len(content) > _MOST:
        raise UserError(f"{flag}={path} is longer than {_MOST >> 20} MiB: is it the right file?")
    return content
