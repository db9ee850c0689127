"""One transform, two ways to do it: tasks in; the plan, and each shard with its rows, out.

An engine shuffles the rows themselves, by its own GroupByKey, and its workers share nothing. The
GroupByKey of the in-process runner holds everything in memory: there each worker sorts its rows on
the disk, and a shard reads its part of all the sorted runs.
"""

import collections
import contextlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.typehints.decorators import no_annotations

from data_prep.grouping import runs
from data_prep.grouping.assigning import Drawn
from data_prep.grouping.job import Job, Piece, Task
from data_prep.grouping.reading import READ, TaskReader, TooManyBadRecords
from data_prep.grouping.runs import PlainRow, Row
from data_prep.grouping.step import Step, Together
from groundwork import owners

RUNS = "runs"
SHARDS = "shards"
_PLAN = -1
"""Sorts the plan before the pieces of all shards."""
_SORTING = "fed-pretrain-shard-"
_MARK = Row(b"", 0, b"", 0, 0, 0)
"""Stands among the rows of a shard, so that one without any is written, too."""

Key = tuple[int, int]
"""A shard's number, and how many there are."""


class Grouped(NamedTuple):
    plan: beam.PCollection
    """One piece: what was read in all, and how many shards there will be."""
    shards: beam.PCollection
    """(key, its rows in any order); of a local job (key, the names of all sorted runs)."""


class GroupByShard(beam.PTransform):
    """`drawn`: of a global partition, which client each record of a task goes to."""

    def __init__(self, job: Job, drawn: Drawn | None) -> None:
        super().__init__()
        self._job = job
        self._drawn = drawn

    @no_annotations
    def expand(self, tasks: beam.PCollection) -> Grouped:
        return self._in_process(tasks) if self._job.local else self._on_an_engine(tasks)

    def _in_process(self, tasks: beam.PCollection) -> Grouped:
        accounts = tasks | "ReadAndSort" >> self._reading(spill)
        planned = self._planned(accounts)
        sharing = beam.FlatMap(lambda plan: _to_each(plan, plan["runs"]))
        shards = planned | "Shards" >> sharing | "SpreadShards" >> beam.Reshuffle()
        return Grouped(planned, shards)

    def _on_an_engine(self, tasks: beam.PCollection) -> Grouped:
        """Accounts pass among the rows, without a client: Dask's runner mixes tagged outputs.

        Where the number of shards is given, no row waits until all are read.
        """
        rows = tasks | "Read" >> self._reading(read).with_output_types(PlainRow)
        planned = self._planned(rows | "Accounts" >> beam.FlatMap(_accounts))
        given = {"shards": self._job.shards} if self._job.shards else None
        keying = beam.FlatMap(_keyed, given or beam.pvalue.AsSingleton(planned))
        marking = beam.FlatMap(_to_each, _MARK)
        keyed = [
            rows | "KeyByShard" >> keying.with_output_types(tuple[Key, PlainRow]),
            planned | "EveryShard" >> marking.with_output_types(tuple[Key, PlainRow]),
        ]
        return Grouped(planned, keyed | beam.Flatten() | beam.GroupByKey())

    def _reading(self, work: Callable[..., Iterator]) -> beam.ParDo:
        sides = [] if self._drawn is None else [beam.pvalue.AsMultiMap(self._drawn.clients)]
        return beam.ParDo(Step(self._job, work), *sides)

    def _planned(self, accounts: beam.PCollection) -> beam.PCollection:
        known = [accounts] if self._drawn is None else [accounts, self._drawn.report]
        return (
            known
            | "AllKnown" >> beam.Flatten()
            | "AllRead" >> Together()
            | "Plan" >> beam.ParDo(Step(self._job, plan))
        )


def _read(job: Job, task: Task, assigned: Iterable) -> TaskReader:
    found = [every[task.number] for every in assigned]
    clients = [
        (names[code] for code in np.frombuffer(codes, np.int32)) for ((names, codes),) in found
    ]
    return TaskReader(job, task, READ, *clients)


def read(job: Job, task: Task, *assigned: Iterable) -> Iterator[PlainRow]:
    reader = _read(job, task, assigned)
    yield from reader.read()
    yield _MARK._replace(payload=json.dumps(vars(reader.account)).encode())


def spill(job: Job, task: Task, *assigned: Iterable) -> Iterator[Piece]:
    """Leaves the task's rows in sorted runs."""

    def work() -> Piece:
        reader = _read(job, task, assigned)
        spiller = runs.RunSpiller(job.folder(RUNS), job.spill_bytes)
        for row in reader.read():
            spiller.add(row)
        spiller.flush()
        return {"runs": spiller.runs, **vars(reader.account)}

    yield job.once(READ, task.number, work)


def remove_runs_of_the_dead(job: Job) -> int:
    """The runs that killed workers left of tasks they had not finished; returns how many."""
    used = {name for piece in job.kept(READ) for name in piece["runs"]}
    found = (job.staging / RUNS).glob("*.run")
    return owners.remove_of_the_dead(path for path in found if path.name not in used)


def plan(job: Job, known: list[Piece]) -> Iterator[Piece]:
    """How many shards there will be: a function of the input alone."""
    accounts = [piece for piece in known if "drawn" not in piece]
    dropped: collections.Counter[str] = collections.Counter()
    bad: collections.Counter[str] = collections.Counter()
    for account in accounts:
        dropped.update(account["dropped"])
        bad.update(account["bad"])
    if bad.total() > job.max_bad_records:
        raise TooManyBadRecords(
            f"{bad.total()} bad records, more than --max_bad_records={job.max_bad_records}"
        )
    payload = sum(account["payload_bytes"] for account in accounts)
    shards = job.shards or max(1, -(-payload // job.shard_bytes))
    job.note(SHARDS, shards)
    yield {
        "number": _PLAN,
        "drawn": next((piece["drawn"] for piece in known if "drawn" in piece), None),
        "shards": shards,
        "runs": sorted(run for account in accounts for run in account.get("runs", ())),
        "examples": sum(account["examples"] for account in accounts),
        "dropped": dict(dropped),
        "bad": dict(bad),
    }


def _accounts(row: PlainRow) -> list[Piece]:
    return [] if row[0] else [json.loads(row[2])]


def _to_each(planned: Piece, value: object) -> list[tuple[Key, object]]:
    shards = planned["shards"]
    return [((shard, shards), value) for shard in range(shards)]


def _keyed(row: PlainRow, planned: Piece) -> list[tuple[Key, PlainRow]]:
    shards = planned["shards"]
    return [((runs.shard_of(row[0], shards), shards), row)] if row[0] else []


@contextlib.contextmanager
def sorted_runs(job: Job, rows: Iterable) -> Iterator[list[Path]]:
    """Where the sorted rows of a shard are: in the job's runs, or in some made for it alone."""
    if job.local:
        yield [job.staging / RUNS / name for name in rows]
        return
    owners.remove_of_the_dead(Path(tempfile.gettempdir()).glob(f"{_SORTING}*"))
    with tempfile.TemporaryDirectory(prefix=f"{_SORTING}{owners.mark()}-") as folder:
        spiller = runs.RunSpiller(Path(folder), job.spill_bytes)
        for row in rows:
            if row[0]:
                spiller.add(row)
        spiller.flush()
        yield [Path(folder) / name for name in spiller.runs]
