"""The worker: `python -m fed_pretrain.executors.pjrt.worker_main DESCRIPTOR EXACT`.

Runs in an environment with JAX and NumPy and none of ours. It has no network socket and ends with
the process that started it.
"""

import contextlib
import os
import platform
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import jax
import jaxlib
import numpy as np

from fed_pretrain.executors.pjrt import cohort_program
from fed_pretrain.executors.pjrt.channel import Channel, Closed
from fed_pretrain.executors.pjrt.versions import PROTOCOL
from groundwork.errors import words_of
from groundwork.untyped import Json, Nested

Arrays = list[np.ndarray]
Reply = tuple[Json, Arrays]
_COMPILED_BYTES = 4 * 2**30


class Worker:
    """One device; each verb is a message, and answers with a message."""

    def __init__(self, exact: bool) -> None:
        self._exact = exact
        self._device = jax.local_devices()[0]
        self._programs: dict[str, tuple[cohort_program.Module, Json, Nested]] = {}
        self._carry: Nested = []
        self._sums: Nested = None
        self._shared: Nested = []

    def hello(self, message: Json, arrays: Arrays) -> Reply:
        memory = self._memory()
        return {
            "protocol": PROTOCOL,
            "jax": jax.__version__,
            "jaxlib": jaxlib.__version__,
            "python": platform.python_version(),
            "platform": self._device.platform,
            "device": self._device.device_kind,
            "memory": memory.get("bytes_limit", 0),
        }, []

    def load(self, message: Json, arrays: Arrays) -> Reply:
        module = cohort_program.module_of(arrays[0].tobytes(), self._exact)
        program = cohort_program.cohort_program(module, message["counts"])
        self._programs[message["program"]] = (module, message["counts"], program)
        return {}, []

    def begin(self, message: Json, arrays: Arrays) -> Reply:
        """What has been accumulated before the first client, and what all clients receive."""
        split = message["carry"]
        self._carry, self._shared = self._put(arrays[:split]), self._put(arrays[split:])
        self._sums = None
        return {}, []

    def run(self, message: Json, arrays: Arrays) -> Reply:
        """The clients of one shape; answers as soon as their data is on the device."""
        module, counts, program = self._programs[message["program"]]
        if self._sums is None:
            self._sums = cohort_program.sums_of_nothing(module, counts)
        own = self._put(arrays)
        self._carry, self._sums, kept = program(
            self._carry, self._sums, own, self._shared, message["count"]
        )
        count = message["count"]
        return {}, [np.asarray(k)[:count] for k in kept]

    def finish(self, message: Json, arrays: Arrays) -> Reply:
        totals = [np.asarray(a) for a in (*self._carry, *(self._sums or []))]
        self._carry, self._sums, self._shared = [], None, []
        return {"peak_memory": self._memory().get("peak_bytes_in_use", 0)}, totals

    def profile(self, message: Json, arrays: Arrays) -> Reply:
        """Until `profiled`: what this process and its device do, for TensorBoard."""
        jax.profiler.start_trace(message["folder"])
        return {}, []

    def profiled(self, message: Json, arrays: Arrays) -> Reply:
        jax.profiler.stop_trace()
        return {}, []

    def _put(self, arrays: Arrays) -> list[jax.Array]:
        """Copies: on a CPU, JAX may otherwise go on reading the sender's memory."""
        if self._device.platform == "cpu":
            arrays = [np.array(a) for a in arrays]
        placed = jax.device_put(arrays, self._device)
        return list(jax.block_until_ready(placed))

    def _memory(self) -> dict[str, int]:
        return self._device.memory_stats() or {}


def serve(channel: Channel, worker: Worker) -> NoReturn:
    """Until the other end is closed."""
    verbs: dict[str, Callable[[Json, Arrays], Reply]] = {
        "hello": worker.hello,
        "load": worker.load,
        "begin": worker.begin,
        "run": worker.run,
        "finish": worker.finish,
        "profile": worker.profile,
        "profiled": worker.profiled,
    }
    while True:
        message, arrays = channel.receive()
        try:
            reply, results = verbs[message["verb"]](message, arrays)
        except Exception as error:
            traceback.print_exc()  # into the log that the executor quotes
            sys.stderr.flush()
            reply, results = {"error": f"{type(error).__name__}: {words_of(error)}"}, []
        channel.send(reply, results)


def _keep_compiled(folder: Path) -> None:
    """Programs compiled before, beside the JAX that compiled them; the oldest make room."""
    if not os.access(folder.parent, os.W_OK):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    with contextlib.suppress(OSError):  # another worker may be removing the same
        files = sorted(folder.glob("*"), key=lambda path: -path.stat().st_mtime)
        kept = 0
        for path in files:
            kept += path.stat().st_size
            if kept > _COMPILED_BYTES:
                path.unlink()


def main(descriptor: int, exact: bool) -> int:
    jax.config.update("jax_enable_x64", True)
    _keep_compiled(Path(sys.prefix) / "compiled")
    channel = Channel(socket.socket(fileno=descriptor))
    with contextlib.suppress(Closed):
        serve(channel, Worker(exact))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2] == "exact"))
