"""Before anything is grouped, where a partition needs to see every label at once: a first pass over
the input, then one draw, whose result is a side input of the second.

The first pass keeps of each example its label, order, split and hashes of content and client: 29
bytes. The draw works on the examples in their final order, so files and workers do not matter.
"""

from collections.abc import Iterator
from typing import NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.typehints.decorators import no_annotations

from data_prep.grouping.job import Job, Piece, Task
from data_prep.grouping.reading import TaskReader
from data_prep.grouping.runs import Row
from data_prep.grouping.step import Step, Together
from data_prep.partitions import assignment
from groundwork.randomness import stable_hash

STAGE = "indexed"
_COLUMNS = np.dtype(
    [
        ("order", np.int64),
        ("content", np.uint64),
        ("label", np.int32),
        ("split", np.uint8),
        ("client", np.uint64),
    ]
)


class Drawn(NamedTuple):
    clients: beam.PCollection
    """(number of a task, (names of its clients, which of them each of its records goes to))."""
    report: beam.PCollection


class AssignClients(beam.PTransform):
    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    @no_annotations
    def expand(self, tasks: beam.PCollection) -> Drawn:
        indexed = tasks | "Index" >> beam.ParDo(Step(self._job, index)) | Together()
        drawn = indexed | "Assign" >> beam.ParDo(Step(self._job, assign))
        return Drawn(
            drawn | "OfTasks" >> beam.Filter(lambda pair: pair[0] != _REPORT),
            drawn | "Report" >> beam.FlatMap(lambda pair: [pair[1]] * (pair[0] == _REPORT)),
        )


def index(job: Job, task: Task) -> Iterator[Piece]:
    """A small table of the task's records."""

    def work() -> Piece:
        reader = TaskReader(job, task, STAGE)
        names: dict[int, str] = {}
        table = np.array([_row(row, names) for row in reader.read()], _COLUMNS)
        return {
            "examples": reader.account.examples,
            "table": table.tobytes(),
            "clients": {str(key): name for key, name in names.items()},
        }

    yield job.once(STAGE, task.number, work)


def _row(row: Row, names: dict[int, str]) -> tuple[int, int, int, int, int]:
    client = 0
    if row.client:
        client = stable_hash(row.client)
        names[client] = row.client.decode()
    return row.order, stable_hash(row.payload), row.label, row.split, client


_REPORT = -1


def assign(job: Job, indexed: list[Piece]) -> Iterator[tuple[int, object]]:
    """Draws the client of every example: one pair for each task, and the report as one more."""
    indexed.sort(key=lambda piece: piece["number"])
    tables = [np.frombuffer(piece["table"], _COLUMNS) for piece in indexed]
    pooled = np.concatenate(tables)
    canonical = np.lexsort(
        (pooled["client"], pooled["label"], pooled["content"], pooled["order"], pooled["split"])
    )
    natural = {int(key): name for piece in indexed for key, name in piece["clients"].items()}
    drawn = assignment.draw(
        job.partition,
        labels=pooled["label"][canonical],
        splits=pooled["split"][canonical],
        natural=pooled["client"][canonical],
        natural_names=natural,
        num_labels=job.num_labels,
    )
    clients = np.empty(len(pooled), np.int32)
    clients[canonical] = drawn.clients
    borders = np.cumsum([len(table) for table in tables])[:-1]
    for piece, part in zip(indexed, np.split(clients, borders), strict=True):
        used, codes = np.unique(part, return_inverse=True)
        names = [drawn.names[number].encode() for number in used]
        yield piece["number"], (names, codes.astype(np.int32).tobytes())
    yield _REPORT, {"drawn": drawn.report}
