"""A measurement in a process of its own, and the memory it took.

    python -m benchmarks.rounds.child speed.measure FILE '{"model": "cnn", ...}'

The result goes through a file, not a pipe: a worker that TFF leaves behind would hold a pipe open.
"""

import contextlib
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple

import psutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE_SECONDS = 0.1


class Finished(NamedTuple):
    result: Any
    peak_megabytes: float


def call(function: str, **arguments: Any) -> Finished:
    """`module.function` of this package in a fresh interpreter; its process tree's peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        answer, log = pathlib.Path(folder) / "answer.json", pathlib.Path(folder) / "log"
        command = [sys.executable, "-m", __spec__.name, function, str(answer)]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        with open(log, "wb") as output:
            started = subprocess.Popen(
                [*command, json.dumps(arguments)],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        peak = _watch(started)
        if started.returncode:
            raise SystemExit(f"{function} {arguments} failed:\n{log.read_text()[-3000:]}")
        return Finished(json.loads(answer.read_text()), peak)


def _watch(started: subprocess.Popen[bytes]) -> float:
    """Peak resident megabytes of the process and all its descendants, which end with it."""
    root = psutil.Process(started.pid)
    family: dict[int, psutil.Process] = {}
    peak = 0
    while True:
        with contextlib.suppress(psutil.Error):
            family.update((process.pid, process) for process in root.children(recursive=True))
        peak = max(peak, sum(_resident(process) for process in [root, *family.values()]))
        try:
            started.wait(SAMPLE_SECONDS)
            break
        except subprocess.TimeoutExpired:
            continue
    for process in family.values():
        if process.is_running():
            process.kill()
    return peak / 1e6


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def main() -> None:
    function, answer, arguments = sys.argv[1:]
    module, name = function.split(".")
    found = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    pathlib.Path(answer).write_text(json.dumps(found(**json.loads(arguments))))


if __name__ == "__main__":
    main()
