"""Shows how far a local job is, by the pieces it keeps; an engine has its own page."""

import contextlib
import threading
from collections.abc import Iterator, Sequence

from data_prep.grouping import assigning, merging
from data_prep.grouping.grouping import SHARDS
from data_prep.grouping.job import PROGRESS, Job, Task
from data_prep.grouping.reading import READ
from data_prep.sources.parsing.compressed import SUFFIXES
from groundwork.progress import Progress

_POLL_SECONDS = 0.25


@contextlib.contextmanager
def watched(job: Job, tasks: Sequence[Task], expected: int | None) -> Iterator[None]:
    if not job.local:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(job, tasks, expected, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _watch(job: Job, tasks: Sequence[Task], expected: int | None, stop: threading.Event) -> None:
    stages = [(READ, "read and sort")]
    if job.partition.is_global:
        stages.insert(0, (assigning.STAGE, "look at labels"))
    for stage, label in stages:
        progress = Progress(label, expected)
        finished = 0
        whole = _in_one_piece(tasks)
        while finished < len(tasks) and not stop.wait(_POLL_SECONDS):
            finished = job.num_kept(stage)
            progress.update(_noted(job, f"{stage}-*"), f"files {finished}/{len(tasks)}{whole}")
        if finished == len(tasks):
            progress.close(f"{_noted(job, f'{stage}-*'):,} examples")
    shards = finished = 0
    while not shards and not stop.wait(_POLL_SECONDS):
        shards = _noted(job, SHARDS)
    progress = Progress("write shards", shards)
    while finished < shards and not stop.wait(_POLL_SECONDS):
        finished = job.num_kept(merging.STAGE)
        progress.update(finished)
    progress.close()


def _in_one_piece(tasks: Sequence[Task]) -> str:
    """Few compressed files can be entered in their middle: a kill costs what was read of others."""
    whole = (unit for task in tasks for unit in task.units if unit.stop is None and not unit.part)
    compressed = sum(unit.path.endswith(SUFFIXES) for unit in whole)
    return f", {compressed:,} of them compressed, each in one piece" if compressed else ""


def _noted(job: Job, pattern: str) -> int:
    """The sum of what tasks noted: of a stage, the examples that they have read."""
    noted = 0
    for path in (job.staging / PROGRESS).glob(pattern):
        with contextlib.suppress(OSError, ValueError):
            noted += int(path.read_text() or 0)
    return noted
