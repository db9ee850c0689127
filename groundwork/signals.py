"""A stop on the user's signal: what is under way is finished and saved first."""

import contextlib
import os
import signal
from types import FrameType, TracebackType
from typing import Any


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

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


class GracefulStop:
    """First SIGINT or SIGTERM: finish the round, save, leave. Second: leave at once."""

    def __init__(self) -> None:
        self.requested: str | None = None
        self._previous: dict[int, Any] = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self.requested is not None:
            say("stopped at once; what was saved is kept")
            os._exit(exit_code(name))
        self.requested = name
        say(f"{name}: finishing this round, then saving (again to stop at once)")

    def __enter__(self) -> "GracefulStop":
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        except ValueError:
            # Outside the main thread (a notebook's worker) Python allows no handlers.
            self._previous.clear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
