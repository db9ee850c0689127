"""`progress.json`: how far a study thinks it is; study.json says only which steps are over."""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path

from groundwork import from_json
from groundwork.untyped import Json
from pipelines.execution.execution import Execution

NAME = "progress.json"
_EVERY = 2.0


class ProgressFile:
    """Written every two seconds. It is a hint: nothing is lost with it."""

    def __init__(self, seconds_left: Callable[[], float | None], standing: Callable[[], str]):
        self._seconds_left = seconds_left
        self._standing = standing
        self._began = time.time()
        self._written = 0.0

    def update(self, execution: Execution) -> None:
        now = time.monotonic()
        if now - self._written < _EVERY:
            return
        self._written = now
        facts = {
            "began": self._began,
            "at": time.time(),
            "seconds_left": self._seconds_left(),
            "standing": self._standing(),
        }
        path = execution.workdir / NAME
        beside = path.with_suffix(".new")
        with contextlib.suppress(OSError):
            beside.write_text(json.dumps(facts), encoding="utf-8")
            beside.replace(path)


def read(folder: Path) -> dict[str, Json]:
    try:
        facts: dict[str, Json] = from_json.record(folder / NAME)
    except (OSError, ValueError):
        return {}
    return facts
