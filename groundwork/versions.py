"""Which code, libraries and machine a result comes from."""

import functools
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

VERSION = "0.1.0"
COMMIT_VARIABLE = "FED_PRETRAIN_COMMIT"
_PROJECT = "fed_pretrain"
_LIBRARIES = ("tensorflow", "tensorflow-federated", "numpy", "apache-beam")
_CODE = (_PROJECT, "commit", "changes")
_MACHINE = ("platform", "processor", "devices")
_ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def current() -> dict[str, str]:
    """By name; what is not known is left out."""
    return {
        _PROJECT: VERSION,
        **_commit(),
        "python": platform.python_version(),
        **_libraries(),
        "platform": platform.platform(),
        "processor": processor(),
        "devices": _devices(),
    }


def table() -> str:
    """What --version prints."""
    names = current()
    width = max(map(len, names))
    return "\n".join(f"{name:{width}}  {value}" for name, value in names.items())


def sentences(records: Iterable[Mapping[str, str]]) -> list[str]:
    """Each different record in words, the most frequent first."""
    counts = Counter(tuple(record.items()) for record in records if record)
    return [_sentence(dict(record), many=len(counts) > 1) for record, _ in counts.most_common()]


def _sentence(record: Mapping[str, str], *, many: bool) -> str:
    made = f"{'partly made' if many else 'made'} by {_PROJECT} {record.get(_PROJECT, '')}".strip()
    if "commit" in record:
        changed = f" with {record['changes']} changes" if "changes" in record else ""
        made += f" (commit {record['commit']}{changed})"
    apart = (*_CODE, *_MACHINE)
    libraries = [f"{name} {value}" for name, value in record.items() if name not in apart]
    where = [record[name] for name in _MACHINE if name in record]
    return f"{made} with {', '.join(libraries)}, on {', '.join(where)}"


def _libraries() -> dict[str, str]:
    import importlib.metadata  # Takes long, and `--help` wants no versions.

    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> dict[str, str]:
    """Of a checkout, or of an image whose build named it; an installed package has none."""
    commit = _git("rev-parse", "HEAD") or os.environ.get(COMMIT_VARIABLE)
    if not commit:
        return {}
    return {"commit": commit.strip()} | ({"changes": "uncommitted"} if dirty() else {})


def _git(*arguments: str) -> str | None:
    """What git prints of this checkout; None without one."""
    if not (_ROOT / ".git").exists():
        return None
    try:
        command = ["git", "--no-optional-locks", "-C", str(_ROOT), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


@functools.cache
def dirty() -> bool | None:
    """Whether the checkout differs from its commit; None without a checkout."""
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return None if changes is None else bool(changes.strip())


def machine() -> dict[str, str | int | float]:
    """What ran here: processor, cores that this process may use, memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "platform": platform.platform(),
    }


def processor() -> str:
    return _first_value(Path("/proc/cpuinfo"), "model name") or platform.machine()


def _devices() -> str:
    """The accelerators that the driver shows, without starting a library that would claim them."""
    found = Path("/proc/driver/nvidia/gpus").glob("*/information")
    names = sorted(_first_value(path, "Model") or "a GPU" for path in found)
    return ", ".join(names) or "CPU"


def _first_value(path: Path, name: str) -> str | None:
    """Of the first line `NAME: VALUE`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)
