"""Which schemes of URLs can be served, and by which package."""

import dataclasses
import importlib.util
import os
import re

from groundwork.errors import UserError, nearest, without_passwords

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BEFORE_URL = re.compile(r"(checkpoint|file):(?!//)")


@dataclasses.dataclass(frozen=True)
class Scheme:
    """A file system that fsspec reads by `module`, which the extra `extra` installs.

    replaces_whole: a file that is written takes its place at once or not at all, and needs no
    folder; elsewhere it is written beside its place and renamed, which is not atomic over a file
    that is there.
    """

    module: str
    extra: str = ""
    replaces_whole: bool = True


_SCHEMES = {
    "s3": Scheme("s3fs", "s3"),
    "gs": Scheme("gcsfs", "gcs"),
    "hdfs": Scheme("pyarrow", replaces_whole=False),
    "webhdfs": Scheme("requests", replaces_whole=False),
    "memory": Scheme("fsspec"),
}


def scheme_of(text: str | os.PathLike[str]) -> str | None:
    """The scheme of a URL; None of a path."""
    found = _URL.match(text) if isinstance(text, str) else None
    return found[1] if found else None


def named(text: str) -> Scheme:
    """The scheme of a URL that can be served here; otherwise one sentence."""
    if without_passwords(text) != text:
        raise UserError(
            f"{without_passwords(text)}: a password in an address would be kept in every record of"
            " the command: leave it to the store's own settings (docs/stores.md)"
        )
    name = scheme_of(text) or ""
    if name not in _SCHEMES:
        known = ", ".join(f"{one}://" for one in _SCHEMES)
        raise UserError(
            f"{text}: {name}:// is not supported{nearest(name, list(_SCHEMES))}; give a local path"
            f" (a mounted bucket has one) or one of {known}"
        )
    scheme = _SCHEMES[name]
    if importlib.util.find_spec(scheme.module) is None:
        raise UserError(
            f"{text}: {name}:// needs the package {scheme.module}, which is not installed: add it,"
            f" or install fed_pretrain[{scheme.extra}]"
        )
    return scheme


def check(flag: str, text: str, served: bool) -> None:
    """Refuses what would otherwise become a local folder named `gs:` or the like.

    `served`: whether the flag takes a URL at all.
    """
    if "\0" in text:
        raise UserError(f"--{flag}={text!r}: a path holds no NUL byte")
    try:
        text.encode()
    except UnicodeEncodeError:
        # No JSON file could say what was asked for.
        raise UserError(f"--{flag}={text!a}: is not UTF-8; rename it") from None
    before = _BEFORE_URL.match(text)
    url = text.removeprefix(before[0]) if before else text
    if scheme_of(url) is None:
        return
    try:
        named(url)
    except UserError as error:
        raise UserError(f"--{flag}={error}") from None
    if not served:
        raise UserError(f"--{flag}={text}: this flag takes a local path, no URL")
