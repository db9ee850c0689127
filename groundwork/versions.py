"""Which code, libraries and machine a result comes from."""

import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path

_DISTRIBUTIONS = (
    "fed_pretrain",
    "tensorflow",
    "tensorflow-federated",
    "numpy",
    "apache-beam",
)
_ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def _libraries() -> dict[str, str]:
    """Of a distribution that is not installed, as the project beside its source is, nothing."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def _commit() -> dict[str, str]:
    """The commit of a checkout; nothing of an installed package."""
    if not (_ROOT / ".git").exists():
        return {}
    try:
        command = ["git", "-C", str(_ROOT), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": done.stdout.strip()}


def current() -> dict[str, str]:
    """By name; what is not known is left out."""
    machine = {"python": platform.python_version(), "platform": platform.platform()}
    return {**_commit(), **_libraries(), **machine}
