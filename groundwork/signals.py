"""A stop on the user's signal: what is under way is finished and saved first."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


def exit_code(name: str) -> int:
    """What a shell reports of a program that this signal ended: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + signal.Signals[name]


def say(message: str, descriptor: int = 2) -> None:
    """Writes to standard error by its descriptor, whatever `sys.stderr` is; it never raises."""
    with contextlib.suppress(OSError):
        os.write(descriptor, f"\n{message}\n".encode())


def end_at_once(sentence: str) -> None:
    """From now on SIGINT and SIGTERM end this process and its children, with this last sentence.

    For a program whose runner would wait for its workers, and whose files may stay as they are.
    Threads and workers that stumble over the end are not heard.
    """
    import psutil

    def handle(number: int, frame: FrameType | None) -> None:
        for worker in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                worker.kill()
        heard = os.dup(2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        say(sentence, heard)
        os._exit(exit_code(signal.Signals(number).name))

    for number in STOPPING:
        signal.signal(number, handle)


@contextlib.contextmanager
def handled(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """SIGINT and SIGTERM call `handle` for a while; nothing changes outside the main thread (a
    notebook's worker), where Python allows no handlers."""
    previous = {}
    if threading.current_thread() is threading.main_thread():
        previous = {number: signal.signal(number, handle) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class GracefulStop(contextlib.ExitStack):
    """First SIGINT or SIGTERM: finish the round, save, leave. Second: leave at once."""

    requested: str | None = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self.requested is not None:
            say("stopped at once; what was saved is kept")
            os._exit(exit_code(name))
        self.requested = name
        say(f"{name}: finishing this round, then saving (again to stop at once)")

    def __enter__(self) -> "GracefulStop":
        self.enter_context(handled(self._handle))
        return self
