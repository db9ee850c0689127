"""Reads the next cohort's clients into the cache while this one trains."""

import threading
from collections.abc import Sequence
from types import TracebackType

from fed_pretrain.tasks.reader import ClientReader


class CohortPrefetch:
    """One background thread; a cohort that is not read in time is simply read when needed."""

    def __init__(self, reader: ClientReader) -> None:
        self._reader = reader
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def start(self, client_ids: Sequence[str], max_examples: int | None = None) -> None:
        """Begins to read these clients; what an earlier call had left to read is dropped."""
        self.close()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._read,
            args=(list(client_ids), max_examples, self._stop),
            name="cohort-prefetch",
            daemon=True,
        )
        self._thread.start()

    def wait(self) -> None:
        """Returns when the started cohort is read."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Ends the thread after the client it is reading."""
        self._stop.set()
        self.wait()
        self._thread = None

    def _read(self, client_ids: list[str], max_examples: int | None, stop: threading.Event) -> None:
        # Half of the cache stays with the cohort that is training now.
        budget = self._reader.cache.max_bytes // 2
        for client_id in client_ids:
            if stop.is_set() or budget <= 0:
                return
            try:
                x, y = self._reader.rows(client_id, max_examples)
            except Exception:
                # The client's own read meets the same error, where someone can hear it.
                return
            budget -= x.nbytes + y.nbytes

    def __enter__(self) -> "CohortPrefetch":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
