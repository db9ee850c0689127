"""Seconds from the start of a process to the end of its first round, by part."""

import time
from collections.abc import Callable
from typing import Any

import psutil


def measure(case_name: str) -> list[Any]:
    """(part, seconds, CPU seconds) in the order of time."""
    laps = _Laps()
    from groundwork import command_line

    command_line.quiet_libraries()  # as every program begins
    laps.end("interpreter")
    import tensorflow  # noqa: F401

    laps.end("import TensorFlow (its own)")
    import tensorflow_federated  # noqa: F401

    laps.end("import TFF (its own)")
    from benchmarks.peers import cases
    from benchmarks.rounds.ours import Ours
    from fed_pretrain.executors.graphs import map_reduce

    case = cases.CASES[case_name]
    data = cases.clients(case)
    laps.end("import the rest, make the rows")
    ours = Ours(case.model, data, case.batch, case.rate)
    laps.end("trace the learning process, and its first state")
    map_reduce.form_of = laps.around("its map-reduce form (TFF's own)", map_reduce.form_of)
    ours.round()
    laps.end("import its graphs, and the first round")
    ours.round()
    laps.end("second round")
    return laps.parts


class _Laps:
    def __init__(self) -> None:
        self.parts: list[tuple[str, float, float]] = []
        self._last = psutil.Process().create_time(), 0.0

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, each call of which is a part; what was before it belongs to it, too."""

        def timed(*arguments: Any) -> Any:
            found = function(*arguments)
            self.end(name)
            return found

        return timed

    def end(self, name: str) -> None:
        now = time.time(), time.process_time()
        self.parts.append((name, now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now
