"""What every benchmark says first: the machine, how busy it is, and the command."""

import os
import platform
import sys


def describe() -> dict[str, str]:
    cores = len(os.sched_getaffinity(0))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    name = getattr(sys.modules["__main__"].__spec__, "name", sys.argv[0])
    return {
        "machine": f"{_processor()}, {cores} cores, load {load}, {platform.platform()}",
        "command": " ".join(["python -m", name, *sys.argv[1:]]),
    }


def announce() -> None:
    print("\n".join(describe().values()), flush=True)


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()
