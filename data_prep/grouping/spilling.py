"""Stage 1: a task's units become sorted runs on disk."""

from collections.abc import Callable
from typing import Any

import numpy as np

from data_prep.grouping import assigning
from data_prep.grouping.job import Job
from data_prep.grouping.reading import Encoded, TaskReader
from data_prep.grouping.runs import RunSpiller

STAGE = "spilled"
RUNS = "runs"


def spill(job: Job, task: int) -> int:
    """Leaves the task's runs and its account; does nothing where they lie already."""
    if job.result(STAGE, task) is not None:
        return task
    reader = TaskReader(job, task, STAGE)
    spiller = RunSpiller(job.folder(RUNS), job.spill_bytes)
    client_of = _clients(job)
    for record in reader.read():
        spiller.add(
            client_of(record),
            record.order,
            record.payload,
            record.split,
            record.label,
            record.counted,
        )
    spiller.flush()
    job.save_result(STAGE, task, _result(reader, spiller))
    return task


def _clients(job: Job) -> Callable[[Encoded], bytes]:
    if not job.partition.is_global:
        return lambda record: record.client or b""
    names = assigning.client_names(job)
    loaded: dict[int, np.ndarray] = {}

    def client_of(record: Encoded) -> bytes:
        if record.unit not in loaded:
            loaded.clear()
            loaded[record.unit] = assigning.load(job, record.unit)
        return names[loaded[record.unit][record.position]]

    return client_of


def _result(reader: TaskReader, spiller: RunSpiller) -> dict[str, Any]:
    account = reader.account
    return {
        "runs": spiller.runs,
        "examples": account.examples,
        "payload_bytes": spiller.payload_bytes,
        "splits": sorted(account.splits),
        "dropped": dict(account.dropped),
        "bad": account.bad_reasons(),
        "bad_examples": [list(bad) for bad in account.bad[:20]],
    }
