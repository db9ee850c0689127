"""Which file systems can be served: the local one, and nothing else yet."""

import re

from groundwork.errors import UserError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def check_local(flag: str, path: str) -> None:
    """Refuses a URL, which would otherwise become a local folder named `gs:` or the like."""
    if "\0" in path:
        raise UserError(f"--{flag}={path!r}: a path holds no NUL byte")
    scheme = _SCHEME.match(path)
    if scheme:
        raise UserError(
            f"--{flag}={path}: {scheme[1]}:// is not supported; give the path of a local folder or "
            "file (a mounted bucket is one)"
        )
