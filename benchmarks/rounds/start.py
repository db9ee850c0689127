"""Seconds from the start of a process to the end of its first round, by part."""

import time
from typing import Any

import psutil


def measure(case_name: str) -> list[Any]:
    """(part, seconds, CPU seconds) in the order of time."""
    laps = _Laps()
    laps.end("interpreter")
    import tensorflow  # noqa: F401

    laps.end("import TensorFlow")
    import tensorflow_federated  # noqa: F401

    laps.end("import TFF")
    from benchmarks.peers import cases
    from benchmarks.rounds.ours import Ours

    case = cases.CASES[case_name]
    data = cases.clients(case)
    laps.end("import the rest, make the rows")
    ours = Ours(case.model, data, case.batch, case.rate)
    laps.end("build the learning process and its first state")
    ours.round()
    laps.end("compile and first round")
    ours.round()
    laps.end("second round")
    return laps.parts


class _Laps:
    def __init__(self) -> None:
        self.parts: list[tuple[str, float, float]] = []
        self._last = psutil.Process().create_time(), 0.0

    def end(self, name: str) -> None:
        now = time.time(), time.process_time()
        self.parts.append((name, now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now
