"""A contestant in its own process: what its rounds take, and what it holds."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
from typing import NamedTuple

import numpy as np
import psutil

from benchmarks.peers.contestants import CONTESTANTS

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS, ROUND_SECONDS, SAMPLE_SECONDS = 300, 300, 0.2


class Spent(NamedTuple):
    seconds: float
    cpu_seconds: float


class Failed(Exception):
    """With the last line that the contestant wrote."""


class Process:
    """Started by the first round; `first` counts from there to that round's end."""

    def __init__(self, name: str, case: pathlib.Path, folder: pathlib.Path) -> None:
        self.name, self._log = name, case.with_name(f"{case.stem}-{name}.log")
        self._weights = folder / f"{name}.npz"
        self._cpu: dict[int, float] = {}
        self._family: dict[int, psutil.Process] = {}
        self.resident = self.proportional = 0.0
        address = folder / f"{name}.socket"
        with socket.socket(socket.AF_UNIX) as door, open(self._log, "wb") as log:
            door.bind(str(address))
            door.listen(1)
            door.settimeout(SAMPLE_SECONDS)
            self._began = time.perf_counter()
            self._started = subprocess.Popen(
                _command(name),
                cwd=_home(name),
                env=self._environment(case, address),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._root = psutil.Process(self._started.pid)
            self._gate = self._enter(door)

    def first(self) -> Spent:
        watching = threading.Event()
        watcher = threading.Thread(target=self._watch, args=[watching])
        watcher.start()
        try:
            self._expect(b"r", START_SECONDS)
            self.round()
            spent = Spent(time.perf_counter() - self._began, self._cpu_seconds())
            self._measure_memory()
        finally:
            watching.set()
            watcher.join()
        return spent

    def round(self) -> Spent:
        cpu, began = self._cpu_seconds(), time.perf_counter()
        self._gate.sendall(b"g")
        self._expect(b"d", ROUND_SECONDS)
        spent = Spent(time.perf_counter() - began, self._cpu_seconds() - cpu)
        self._expect(b"r", ROUND_SECONDS)
        return spent

    def weights(self) -> dict[str, np.ndarray]:
        """After the first round."""
        with np.load(self._weights) as file:
            return dict(file)

    def close(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self._gate.sendall(b"s")
            self._gate.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._started.wait(3)
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._started.wait()

    def _environment(self, case: pathlib.Path, address: pathlib.Path) -> dict[str, str]:
        ours = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TQDM_DISABLE": "1"}
        quiet |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        quiet |= {"TF_ENABLE_ONEDNN_OPTS": "1"}  # as we have it, for all of TensorFlow
        quiet |= {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "PYTHONPATH": str(_home(self.name))}
        files = {"PEERS_CASE": case, "PEERS_SOCKET": address, "PEERS_WEIGHTS": self._weights}
        return {**ours, **quiet, **{name: str(file) for name, file in files.items()}}

    def _enter(self, door: socket.socket) -> socket.socket:
        while time.perf_counter() - self._began < START_SECONDS:
            with contextlib.suppress(TimeoutError):
                return door.accept()[0]
            if self._started.poll() is not None:
                break
        raise self._failure()

    def _expect(self, word: bytes, seconds: float) -> None:
        self._gate.settimeout(seconds)
        try:
            found = self._gate.recv(1)
        except OSError:
            found = b""
        if found != word:
            raise self._failure()

    def _failure(self) -> Failed:
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["no output"]
        return Failed(lines[-1].strip()[:160])

    def _tree(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            found = self._root.children(recursive=True)
            self._family.update((process.pid, process) for process in found)
        return [self._root, *self._family.values()]

    def _cpu_seconds(self) -> float:
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                self._cpu[process.pid] = times.user + times.system
        return sum(self._cpu.values())

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(SAMPLE_SECONDS):
            self._measure_memory()

    def _measure_memory(self) -> None:
        """Peaks so far, in megabytes, of the whole tree."""
        resident = proportional = 0
        for process in self._tree():
            with contextlib.suppress(psutil.Error, OSError):
                found = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                resident += _kilobytes(found, "Rss:")
                proportional += _kilobytes(found, "Pss:")
        self.resident = max(self.resident, resident / 1e3)
        self.proportional = max(self.proportional, proportional / 1e3)


def python_of(name: str) -> pathlib.Path:
    side = CONTESTANTS[name].environment
    return ROOT / ".cache" / side / "bin" / "python" if side else pathlib.Path(sys.executable)


def _command(name: str) -> list[str]:
    package = "benchmarks.peers" if _home(name) == ROOT else "peers"
    return [str(python_of(name)), "-m", f"{package}.contestants.{name}"]


def _home(name: str) -> pathlib.Path:
    """Outside the project for peers: a start from its root imports parts of it."""
    return ROOT / "benchmarks" if CONTESTANTS[name].environment else ROOT


def _kilobytes(found: str, key: str) -> int:
    line = next(line for line in found.splitlines() if line.startswith(key))
    return int(line.split()[1])
