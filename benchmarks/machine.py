"""What every benchmark says first: the machine, how busy it is, and the command."""

import datetime
import os
import platform
import sys
from typing import Any

from groundwork import versions


def describe() -> dict[str, str]:
    cores = len(os.sched_getaffinity(0))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    spec = sys.modules["__main__"].__spec__
    name = getattr(spec, "name", sys.argv[0]).removesuffix(".__main__")
    return {
        "machine": f"{versions.processor()}, {cores} cores, load {load}, {platform.platform()}",
        "command": " ".join(["python -m", name, *sys.argv[1:]]),
    }


def said_above(table: str) -> str:
    """A page's table under the machine and the command that made it."""
    said = describe()
    return f"{said['machine']}; `{said['command']}`\n\n{table}"


def circumstances() -> dict[str, Any]:
    """What a page says of a run: figures apart, so that it can judge them."""
    return {
        "command": describe()["command"],
        "machine": f"{versions.processor()}, {os.cpu_count()} cores",
        "core_count": os.cpu_count(),
        "load": os.getloadavg()[0],
        "date": datetime.date.today().isoformat(),
        "commit": versions.current().get("commit", "unknown"),
    }


def announce() -> None:
    print("\n".join(describe().values()), flush=True)
