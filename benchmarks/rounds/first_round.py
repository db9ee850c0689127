"""Seconds from the start of the process to the end of its first round, by part."""

import time
from typing import Any

import numpy as np
import psutil

from benchmarks.rounds import child, workload
from benchmarks.rounds.workload import BATCH, ROWS

GOAL_SECONDS = 15
CLIENTS = 10


def run() -> dict[str, Any]:
    """Of two processes the second, which finds the files in memory as a user's next run does."""
    child.call("first_round.measure")
    result: dict[str, Any] = child.call("first_round.measure").result
    return result


def measure() -> dict[str, Any]:
    laps = _Laps()
    laps.end("interpreter")
    import tensorflow  # noqa: F401

    laps.end("import tensorflow")
    import tensorflow_federated  # noqa: F401

    laps.end("import tff")
    from fed_pretrain.executors.creation import create

    executor = create()
    laps.end("executor")
    algorithm = workload.algorithm("cnn")
    laps.end("build process")
    state = executor.initialize(algorithm.process)
    laps.end("initialize")
    clients = _clients()
    output = executor.run_round(algorithm, state, clients)
    compiling = output.seconds["compile"]
    laps.end("first round")
    laps.parts["first round"] -= compiling
    laps.parts["map-reduce form"] = compiling
    executor.close()
    return {"parts": laps.parts, "total": sum(laps.parts.values())}


def _clients() -> list[Any]:
    """With black images: parsing the digits' text file is no part of a run."""
    from fed_pretrain.clients.local_work import LocalWork
    from fed_pretrain.clients.payload import make_payload
    from fed_pretrain.executors.executor import ClientInput

    images, labels = np.zeros([ROWS, 28, 28, 1], np.uint8), np.zeros(ROWS, np.int32)
    data = make_payload(images, labels, LocalWork(batch_size=BATCH), 0, 0, "black")
    return [ClientInput(str(client), lambda: data) for client in range(CLIENTS)]


class _Laps:
    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._last = psutil.Process().create_time()

    def end(self, name: str) -> None:
        now = time.time()
        self.parts[name], self._last = now - self._last, now


def print_found(found: dict[str, Any]) -> None:
    parts = ", ".join(f"{name} {value:.1f}" for name, value in found["parts"].items())
    print(
        f"\nfirst round of the cnn after {found['total']:.1f} s (goal <= {GOAL_SECONDS}): {parts}"
    )
