"""TFF's worker: its death, its slowness and our own end, with real processes."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.native.native_executor import NativeExecutor
from groundwork.errors import UserError
from tests.fed_pretrain.executors import digits
from tests.processes import still_running

NATIVE = ExecutorOptions(executor="native")


@tff.tensorflow.computation(np.int32)
def _count_slowly(limit: Any) -> Any:
    return tf.while_loop(lambda i: i < limit, lambda i: (i + 1,), (tf.constant(0),))[0]


@contextlib.contextmanager
def _running(options: ExecutorOptions = NATIVE) -> Iterator[NativeExecutor]:
    executor = NativeExecutor(options)
    try:
        yield executor
    finally:
        executor.close()


def test_a_worker_killed_in_a_round_is_replaced_and_the_round_repeated(native, on_device):
    made = digits.algorithm()
    native.invoke(_count_slowly, np.int32(1))
    first = native.worker_pid
    killer = threading.Thread(target=_kill_when_busy, args=(first,), daemon=True)
    killer.start()
    counted = native.invoke(_count_slowly, np.int32(3_000_000))
    assert counted == 3_000_000
    assert native.worker_pid != first
    finished = digits.train(native, made)
    assert digits.difference(finished.weights, on_device().weights) < 1e-5


def test_a_closed_one_that_is_called_starts_again():
    with _running() as executor:
        executor.invoke(_count_slowly, np.int32(1))
    with contextlib.closing(executor):
        assert executor.invoke(_count_slowly, np.int32(2)) == 2
        second = executor.worker_pid
    assert executor.worker_pid is None
    assert not still_running([second])


def test_a_worker_that_always_dies_ends_the_round():
    options = ExecutorOptions(executor="native", restarts=1)
    with _running(options) as executor:
        executor.invoke(_count_slowly, np.int32(1))
        stop = threading.Event()

        def keep_killing() -> None:
            while not stop.wait(0.05):
                pid = executor.worker_pid
                if pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=keep_killing)
        killer.start()
        try:
            with pytest.raises(UserError, match="worker"):
                executor.invoke(_count_slowly, np.int32(2_000_000_000))
        finally:
            stop.set()
            killer.join()


def test_a_round_that_never_ends_is_ended_by_the_timeout():
    with _running(ExecutorOptions(executor="native", round_timeout=2.0)) as executor:
        with pytest.raises(UserError, match="--round_timeout=2"):
            executor.invoke(_count_slowly, np.int32(2_000_000_000))
        executor._options = dataclasses.replace(executor._options, round_timeout=600.0)
        assert executor.invoke(_count_slowly, np.int32(3)) == 3


def test_closing_ends_the_worker():
    with _running() as executor:
        executor.invoke(_count_slowly, np.int32(1))
        pid = executor.worker_pid
    assert pid is not None
    assert still_running([pid]) == []


def test_devices_other_than_the_cpu_are_refused():
    with pytest.raises(UserError, match="no GPU or TPU inside"):
        create(ExecutorOptions(executor="native", devices="GPU"))


def test_what_the_worker_cannot_do_is_refused():
    for flag in ("jit", "mixed_precision"):
        with pytest.raises(UserError, match=f"--{flag}: TFF's worker cannot do that"):
            create(dataclasses.replace(NATIVE, **{flag: True}))


ENDINGS = {
    "normal": "pass",
    "exception": "raise RuntimeError('asked for')",
    "exit": "import sys; sys.exit(3)",
    "os_exit": "import os; os._exit(3)",
    "thread": "import threading; threading.Thread(target=time.sleep, args=(0.2,)).start()",
    "SIGTERM": "time.sleep(600)",
    "SIGINT": "time.sleep(600)",
    "SIGKILL": "time.sleep(600)",
}
SCRIPT = """
from fed_pretrain.executors.creation import create
import time, numpy as np, tensorflow_federated as tff
from fed_pretrain.executors.executor_options import ExecutorOptions
executor = create(ExecutorOptions(executor="native"))
one = tff.tensorflow.computation(lambda: np.int32(1))
assert executor.invoke(one) == 1
print(executor.worker_pid, flush=True)
"""


def test_no_worker_outlives_a_killed_parent():
    _check_endings(["SIGKILL"])


@pytest.mark.slow
def test_no_worker_outlives_any_end_of_the_parent():
    _check_endings(list(ENDINGS))


def _check_endings(names: list[str]) -> None:
    children = {
        name: subprocess.Popen(
            [sys.executable, "-c", SCRIPT + ENDINGS[name]],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for name in names
    }
    workers = {name: int(_first_line(child)) for name, child in children.items()}
    for name, child in children.items():
        if name.startswith("SIG"):
            assert psutil.pid_exists(workers[name])
            child.send_signal(getattr(signal, name))
        child.wait(timeout=600)
    left = still_running(workers.values())
    assert [name for name, pid in workers.items() if pid in left] == []


def _first_line(child: Any) -> str:
    return str(child.stdout.readline())


def _kill_when_busy(pid: int | None) -> None:
    """Kills the worker in the middle of a computation: when it has used some CPU time."""
    process = psutil.Process(pid)
    before = process.cpu_times().user
    while process.cpu_times().user < before + 0.1:
        time.sleep(0.005)
    process.kill()
