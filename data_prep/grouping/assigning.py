"""Before stage 1, where a partition needs to see every label at once: an index pass, then one draw.

The index pass keeps of each example its label, order, split and hashes of content and client: 29
bytes. The draw works on the examples in their final order, so files and workers do not matter.
"""

import io
import json
from collections.abc import Sequence

import numpy as np

from data_prep.grouping.job import Job
from data_prep.grouping.reading import Encoded, TaskReader
from data_prep.partitions import assignment
from groundwork import files
from groundwork.randomness import stable_hash

STAGE = "indexed"
FOLDER = "assigned"
NAMES = "clients.json"
_COLUMNS = (
    ("order", np.int64),
    ("content", np.uint64),
    ("label", np.int32),
    ("split", np.uint8),
    ("client", np.uint64),
)


def index(job: Job, task: int) -> int:
    """Leaves one small table for each unit of the task."""
    if job.result(STAGE, task) is not None:
        return task
    reader = TaskReader(job, task, STAGE)
    rows: dict[int, list[tuple[int, int, int, int, int]]] = {unit: [] for unit in job.tasks[task]}
    names: dict[int, str] = {}
    for record in reader.read():
        rows[record.unit].append(_row(record, names))
    for unit, unit_rows in rows.items():
        table = np.array(unit_rows, np.dtype(list(_COLUMNS)))
        _save(job, f"index-{unit:06d}.npy", table)
    job.save_result(STAGE, task, {"examples": reader.account.examples, "clients": _named(names)})
    return task


def _row(record: Encoded, names: dict[int, str]) -> tuple[int, int, int, int, int]:
    client = 0
    if record.client is not None:
        client = stable_hash(record.client)
        names[client] = record.client.decode()
    return record.order, stable_hash(record.payload), record.label, record.split, client


def _named(names: dict[int, str]) -> dict[str, str]:
    return {str(key): name for key, name in names.items()}


def _save(job: Job, name: str, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    files.write_bytes(job.folder(FOLDER) / name, buffer.getvalue())


def assign(job: Job) -> None:
    """Draws every example's client and leaves one array of client numbers for each unit."""
    if (job.folder(FOLDER) / NAMES).exists():
        return
    tables = [_load(job, f"index-{unit:06d}.npy") for unit in range(len(job.units))]
    pooled = np.concatenate(tables)
    canonical = np.lexsort(
        (pooled["client"], pooled["label"], pooled["content"], pooled["order"], pooled["split"])
    )
    names = _natural_names(job) if job.partition.rule == "natural_shuffled" else None
    drawn = assignment.draw(
        job.partition,
        labels=pooled["label"][canonical],
        splits=pooled["split"][canonical],
        natural=pooled["client"][canonical],
        natural_names=names,
        num_labels=job.num_labels,
    )
    clients = np.empty(len(pooled), np.int32)
    clients[canonical] = drawn.clients
    borders = np.cumsum([len(table) for table in tables])[:-1]
    for unit, part in enumerate(np.split(clients, borders)):
        _save(job, f"clients-{unit:06d}.npy", part)
    job.save_result("drawn", 0, drawn.report)
    files.write_json(job.folder(FOLDER) / NAMES, list(drawn.names))


def _natural_names(job: Job) -> dict[int, str]:
    names: dict[int, str] = {}
    for result in job.results(STAGE, len(job.tasks)):
        names |= {int(key): name for key, name in result["clients"].items()}
    return names


def _load(job: Job, name: str) -> np.ndarray:
    return np.load(job.folder(FOLDER) / name, allow_pickle=False)


def load(job: Job, unit: int) -> np.ndarray:
    """The client number of each sound record of a unit."""
    return _load(job, f"clients-{unit:06d}.npy")


def client_names(job: Job) -> Sequence[bytes]:
    return [name.encode() for name in json.loads((job.folder(FOLDER) / NAMES).read_bytes())]
