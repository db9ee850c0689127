"""TFF's worker as a child that cannot outlive us: not after an exception, not after SIGKILL."""

import atexit
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from absl import logging

from fed_pretrain.executors import child_process
from fed_pretrain.executors.native import sealed_worker
from groundwork import owners
from groundwork.errors import UserError

_POLL_SECONDS = 0.05
_FOLDER = "tff-worker-"
_SEALED_PORT = 10000  # nobody else is in that network
OPEN_TO_ALL = (
    "TFF's worker listens on port %d of EVERY network interface and runs what anybody sends it:"
    " this system permits no network namespace (unshare). Close the port by a firewall or use"
    " --executor=device. See SECURITY.md."
)


class WorkerProcess:
    """Starts the binary where only this user reaches it, or else on a free port, with a warning.

    Its output goes to a temporary log file. `address` is where gRPC finds it.
    """

    def __init__(self, max_concurrent_calls: int, start_timeout: float) -> None:
        import tensorflow_federated as tff

        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        binary = Path(tff.__file__).parent / "data" / "worker_binary"
        self._command = [
            str(binary),
            f"--max_concurrent_computation_calls={max_concurrent_calls}",
        ]
        self._process: Any = None
        self._name: str | tuple[str, int] = ""
        # A relay that was killed leaves its socket behind.
        owners.remove_of_the_dead(Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"))
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{owners.mark()}-"))
        atexit.register(self.stop)
        try:
            self._start_sealed()
            self._wait_for_port(start_timeout)
        except BaseException:
            self.stop()
            raise

    def _start_sealed(self) -> None:
        path = self._folder / "socket"
        relay = [sys.executable, "-I", sealed_worker.__file__, str(path), str(_SEALED_PORT)]
        command = [*relay, *self._command, f"--port={_SEALED_PORT}"]
        self._family, self._name = socket.AF_UNIX, str(path)
        self.address = f"unix:{path}"
        self._process = child_process.start(command, self._log.fileno(), _environment())

    def _start_open(self) -> None:
        port = _free_port()
        logging.log_first_n(logging.WARNING, OPEN_TO_ALL, 1, port)
        self._family, self._name = socket.AF_INET, ("127.0.0.1", port)
        self.address = f"localhost:{port}"
        command = [*self._command, f"--port={port}"]
        self._process = child_process.start(command, self._log.fileno(), _environment())

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Kills and reaps the child; safe to call again."""
        atexit.unregister(self.stop)
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
        shutil.rmtree(self._folder, ignore_errors=True)
        if not self._log.closed:
            self._log.close()

    def check_alive(self) -> None:
        if not self.alive():
            code, words = self._process.returncode, self.last_words()
            raise UserError(f"TFF's worker ended at once with code {code}: {words}")

    def last_words(self) -> str:
        """The end of its log, for an error message."""
        if self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        text = os.pread(self._log.fileno(), 500, max(0, size - 500)).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def _wait_for_port(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            if self._process.poll() == sealed_worker.NOT_PERMITTED:
                self._start_open()
            self.check_alive()
            with contextlib.suppress(OSError), socket.socket(self._family) as probe:
                probe.settimeout(1)
                probe.connect(self._name)
                return
            if time.monotonic() > deadline:
                raise UserError(
                    f"TFF's worker did not answer within --start_timeout={timeout:g} seconds: "
                    f"{self.last_words()}"
                )
            time.sleep(_POLL_SECONDS)


def _environment() -> dict[str, str]:
    """One thread inside a kernel, as on `device`; clients use the cores."""
    return {
        **os.environ,
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "GRPC_VERBOSITY": "ERROR",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])
