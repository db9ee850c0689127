"""Runs a call in little memory and little time: a bomb fails the test, not the machine."""

import contextlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def bounded(megabytes: int = 800, seconds: float = 20) -> Iterator[None]:
    """Address space may grow by `megabytes` inside the block, which may compute for `seconds`."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    started = time.process_time()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.process_time() - started < seconds, "it took too long to refuse"
