"""Where the time of a round goes by kernel, from TensorFlow's own profile of it."""

import collections
import pathlib
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.peers import cases

ROUNDS = 3


def measure(case_name: str) -> dict[str, Any]:
    """Shares of the kernels' time by type; the executor's seconds by part; CPU seconds a round."""
    import tensorflow as tf

    from benchmarks.rounds.ours import Ours

    case = cases.CASES[case_name]
    ours = Ours(case.model, cases.clients(case), case.batch, case.rate)
    ours.round()
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(ROUNDS):
        ours.round()
    seconds = (time.perf_counter() - began) / ROUNDS
    cpu_seconds = (time.process_time() - cpu) / ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        ours.round()
        tf.profiler.experimental.stop()
        totals = by_type(pathlib.Path(folder))
    whole = sum(totals.values())
    return {
        "title": case.title,
        "shares": {kind: value / whole for kind, value in totals.items()},
        "parts": {name: float(value) for name, value in ours.seconds.items()},
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
    }


def by_type(folder: pathlib.Path) -> dict[str, float]:
    """Seconds of each type of operation, without those of the operations inside it."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    totals: dict[str, float] = collections.Counter()
    for file in folder.rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
        for plane in space.planes:
            for line in plane.lines:
                for kind, picoseconds in own_times(plane, line):
                    totals[kind] += picoseconds / 1e12
    return dict(totals)


def own_times(plane: Any, line: Any) -> Iterator[tuple[str, int]]:
    """(type, picoseconds) of each operation of a thread: NAME:TYPE is how they are called."""
    stack: list[tuple[str, int, int]] = []
    inside = [0]

    def leave() -> Iterator[tuple[str, int]]:
        name, _, length = stack.pop()
        within = inside.pop()
        inside[-1] += length
        if ":" in name and "::" not in name and " " not in name:
            yield name.rpartition(":")[2], length - within

    for event in sorted(line.events, key=lambda e: (e.offset_ps, -e.duration_ps)):
        while stack and event.offset_ps >= stack[-1][1]:
            yield from leave()
        name = plane.event_metadata[event.metadata_id].name
        stack.append((name, event.offset_ps + event.duration_ps, event.duration_ps))
        inside.append(0)
    while stack:
        yield from leave()
