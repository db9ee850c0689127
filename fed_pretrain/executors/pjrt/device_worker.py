"""One device's worker process, with an end to every wait and no orphan."""

import atexit
import contextlib
import dataclasses
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fed_pretrain.executors import child_process
from fed_pretrain.executors.pjrt.channel import Channel, Closed, Form
from fed_pretrain.executors.pjrt.client_step import LoweredStep
from fed_pretrain.executors.pjrt.environment import WorkerDevice, python_of
from fed_pretrain.executors.pjrt.versions import JAX, PROTOCOL
from groundwork.errors import UserError
from groundwork.untyped import Json

_ROOT = Path(__file__).parents[3]
_QUOTED = 4000


class WorkerLost(Exception):
    """The worker died: what it was doing may be repeated by a new one."""


class WorkerFailed(Exception):
    """What the worker was asked failed there; the worker lives."""


@dataclasses.dataclass(frozen=True)
class Deadline:
    """The end of a wait, and the flag that sets it."""

    flag: str
    seconds: float
    at: float

    @classmethod
    def after(cls, seconds: float, flag: str) -> "Deadline":
        return cls(flag, seconds, time.monotonic() + seconds)

    def left(self) -> float:
        return max(self.at - time.monotonic(), 0.01)


class DeviceWorker:
    """Starts at once; `ready` waits until it has shown its versions and its device."""

    def __init__(self, device: WorkerDevice, python: str, exact: bool, deterministic: bool) -> None:
        self.device = device
        self.hello: Json = {}
        self._loaded: set[str] = set()
        self._log = tempfile.TemporaryFile(prefix="pjrt-worker-")  # noqa: SIM115
        ours, theirs = socket.socketpair()
        command = [python_of(device, python), "-P", "-m", f"{__package__}.worker_main"]
        command += [str(theirs.fileno()), "exact" if exact else "fast"]
        environment = {**device.environment(deterministic), "PYTHONPATH": str(_ROOT)}
        atexit.register(self.stop)
        self._channel = Channel(ours)
        self._process = child_process.start(
            command, self._log.fileno(), environment, [theirs.fileno()]
        )
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def name(self) -> str:
        return f"the worker of {self.device} (process {self.pid})"

    def ready(self, deadline: Deadline) -> None:
        if self.hello:
            return
        try:
            hello, _ = self.call({"verb": "hello"}, deadline)
        except WorkerLost as error:
            raise UserError(f"--executor=pjrt: {error}") from error
        found = hello["protocol"], hello["jax"], hello["jaxlib"]
        if found != (PROTOCOL, JAX, JAX):
            raise UserError(
                f"--pjrt_python: {self.name} has jax {hello['jax']} and jaxlib {hello['jaxlib']},"
                f" but {JAX} is needed: `make pjrt` (or `make pjrt-cuda`) makes such an environment"
            )
        if hello["platform"] != self.device.platform:
            raise UserError(
                f"--devices: JAX found no {self.device.kind} for {self.name}, only"
                f" {hello['device']}"
            )
        self.hello = hello

    def runs_on(self) -> str:
        """Of a ready worker: its device, how much memory that has, and what it runs."""
        hello = self.hello
        memory = f" with {hello['memory'] / 1e9:.1f} GB" if hello["memory"] else ""
        return (
            f"{self.device} ({hello['device']}{memory}) by jax {hello['jax']},"
            f" Python {hello['python']}"
        )

    def load(self, lowered: LoweredStep, deadline: Deadline) -> None:
        """Once in the worker's life."""
        if lowered.name not in self._loaded:
            counts = dataclasses.asdict(lowered.counts)
            message = {"verb": "load", "program": lowered.name, "counts": counts}
            self.call(message, deadline, [np.frombuffer(lowered.hlo, np.uint8)])
            self._loaded.add(lowered.name)

    def reserve(self, forms: Sequence[Form]) -> list[np.ndarray]:
        """Where the arrays of the next call are to be written."""
        return self._channel.reserve(forms)

    def call(
        self, message: Json, deadline: Deadline, arrays: Sequence[np.ndarray] | None = None
    ) -> tuple[Json, list[np.ndarray]]:
        """The answer; its arrays are valid until the next call."""
        try:
            self._channel.send(message, arrays)
            answer, results = self._channel.receive(deadline.left())
        except TimeoutError:
            self.stop()
            raise UserError(
                f"{self.name} did not answer within --{deadline.flag}={deadline.seconds:g} seconds"
                " and was ended"
            ) from None
        except Closed:
            raise WorkerLost(f"{self.name} died{self._death()}") from None
        if "error" in answer:
            raise WorkerFailed(f"{self.name}: {answer['error']}")
        return answer, results

    def stop(self) -> None:
        """Kills and reaps the child; safe to call again."""
        atexit.unregister(self.stop)
        if self._log.closed:
            return
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self._channel.close()
        self._log.close()

    def _death(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code, words = self._process.returncode, self._last_words()
        how = f" by signal {-code}" if code is not None and code < 0 else f" with code {code}"
        return f"{how}: {words}" if words else how

    def _last_words(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        tail = os.pread(self._log.fileno(), _QUOTED, max(0, size - _QUOTED))
        lines = [line.strip() for line in tail.decode(errors="replace").splitlines()]
        return next((line[:300] for line in reversed(lines) if line), "")
