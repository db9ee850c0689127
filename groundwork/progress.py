"""A progress line with counts and ETA; plain log lines when the output is not a terminal."""

import sys
import time
from typing import TextIO


def duration(seconds: float) -> str:
    """Formats seconds as people say them: 8s, 3m 20s, 2h 05m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


class Progress:
    """Shows `label  done/total  detail  ETA`; redraws in place on a terminal only."""

    def __init__(
        self,
        label: str,
        total: int | None = None,
        *,
        stream: TextIO | None = None,
        log_every_seconds: float = 10.0,
    ) -> None:
        self._label = label
        self._total = total
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._pause = 0.1 if self._live else log_every_seconds
        self._started = time.monotonic()
        self._last_shown = float("-inf")
        self._width = 0

    def update(self, done: int, detail: str = "") -> None:
        now = time.monotonic()
        finished = self._total is not None and done >= self._total
        if now - self._last_shown < self._pause and not finished:
            return
        self._last_shown = now
        self._show(self._line(done, detail, now - self._started))

    def note(self, text: str) -> None:
        """Writes a line that stays, above the line that is redrawn."""
        self._show(text)
        if self._live:
            self._stream.write("\n")
            self._width = 0
            self._last_shown = float("-inf")

    def close(self, summary: str = "") -> None:
        """Ends the line; `summary` replaces it when given."""
        if summary:
            self._show(f"{self._label}  {summary}")
        if self._live and self._width:
            self._stream.write("\n")
        self._stream.flush()
        self._width = 0

    def _line(self, done: int, detail: str, elapsed: float) -> str:
        count = f"{done:,}/{self._total:,}" if self._total is not None else f"{done:,}"
        parts = [self._label, count, detail, f"{duration(elapsed)} elapsed"]
        if self._total and 0 < done < self._total:
            parts.append(f"ETA {duration(elapsed * (self._total - done) / done)}")
        return "  ".join(part for part in parts if part)

    def _show(self, line: str) -> None:
        if self._live:
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()
