"""Which code, libraries and machine a result comes from."""

import functools
import importlib.metadata
import os
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
    commit = _git("rev-parse", "HEAD")
    return {"commit": commit.strip()} if commit else {}


def _git(*arguments: str) -> str | None:
    """What git prints of this checkout; None without one."""
    if not (_ROOT / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(_ROOT), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def dirty() -> bool | None:
    """Whether the checkout has changes of its own beside its commit; None without a checkout."""
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return None if changes is None else bool(changes.strip())


def machine() -> dict[str, str | int | float]:
    """What ran here: processor, cores that this process may use, memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "platform": platform.platform(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def current() -> dict[str, str]:
    """By name; what is not known is left out."""
    machine = {"python": platform.python_version(), "platform": platform.platform()}
    return {**_commit(), **_libraries(), **machine}
