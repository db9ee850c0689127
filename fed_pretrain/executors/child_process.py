"""A child that cannot outlive us: not after an exception, not after SIGKILL."""

import functools
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

from fed_pretrain.executors.native import sealed_worker

Child = subprocess.Popen[bytes]
_Answer = Child | BaseException
_Requests = queue.SimpleQueue[tuple[Callable[[], Child], "queue.SimpleQueue[_Answer]"]]


def start(
    command: Sequence[str], log: int, env: Mapping[str, str], keeps: Sequence[int] = ()
) -> Child:
    """Its output goes to the file `log`; of our files it has those that it `keeps`.

    A death signal follows the thread that forked, so one thread that never ends forks all.
    """
    return _Launcher.start(lambda: _popen(command, log, env, keeps))


class _Launcher:
    _requests: _Requests = queue.SimpleQueue()
    _lock = threading.Lock()
    _owner = 0

    @classmethod
    def start(cls, make: Callable[[], Child]) -> Child:
        with cls._lock:
            if cls._owner != os.getpid():  # first use, or a forked child
                cls._owner = os.getpid()
                cls._requests = queue.SimpleQueue()
                threading.Thread(target=cls._serve, name="launcher", daemon=True).start()
        answer: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        cls._requests.put((make, answer))
        result = answer.get()
        if isinstance(result, BaseException):
            raise result
        return result

    @classmethod
    def _serve(cls) -> None:
        requests = cls._requests
        while True:
            make, answer = requests.get()
            try:
                answer.put(make())
            except BaseException as error:
                answer.put(error)


def _popen(command: Sequence[str], log: int, env: Mapping[str, str], keeps: Sequence[int]) -> Child:
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=env,
        pass_fds=keeps,
        preexec_fn=functools.partial(sealed_worker.die_with_parent, os.getpid(), signal.SIGKILL),
        start_new_session=True,  # Ctrl-C is ours to handle, not the worker's
    )
