"""A stop on the user's signal: what is under way is finished and saved first."""

import contextlib
import os
import signal
from types import FrameType, TracebackType
from typing import Any


def exit_code(name: str) -> int:
    """What a shell reports of a program that this signal ended: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + signal.Signals[name]


def say(message: str) -> None:
    """Writes to standard error by its descriptor, whatever `sys.stderr` is; it never raises."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{message}\n".encode())


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
