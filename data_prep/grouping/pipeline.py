"""The job as a Beam pipeline: it hands out task and shard numbers, and waits between stages."""

import errno
from collections.abc import Callable, Iterable, Iterator

import apache_beam as beam

from data_prep.grouping import assigning, finishing, merging, runs
from data_prep.grouping.job import Job
from data_prep.grouping.reading import TooManyBadRecords
from groundwork import files
from groundwork.errors import UserError
from groundwork.untyped import Json

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_AGAIN = "run the same command, which goes on from what is done"


class Stage(beam.DoFn):
    """Calls `work(job, number)`; what the user must mend becomes the job's failure, not a trace.

    After a failure every later stage falls silent, and the pipeline runs out with nothing to do.
    """

    def __init__(self, job: Job, work: Callable[[Job, int], Iterable[int]]) -> None:
        self._job = job
        self._work = work

    def process(self, number: int) -> Iterator[int]:
        if self._job.failed():
            return
        files.reach(f"prepare{self._work.__name__}")
        try:
            done = list(self._work(self._job, number))
        except (UserError, TooManyBadRecords) as error:
            self._job.fail(str(error))
        except OSError as error:
            self._job.fail(_described(error), sound=error.errno in _NO_ROOM)
        else:
            yield from done


def _described(error: OSError) -> str:
    where = f" while writing {error.filename}" if error.filename else ""
    if error.errno == errno.EFBIG:
        return f"a file grew too large{where}: raise the limit (ulimit -f) and {_AGAIN}"
    if error.errno in _NO_ROOM:
        return f"the disk of --output is full{where}: free some space and {_AGAIN}"
    return f"{error.filename or 'a file'}: {error.strerror or error}"


def _index(job: Job, task: int) -> list[int]:
    return [assigning.index(job, task)]


def _assign(job: Job, _: int) -> range:
    assigning.assign(job)
    return range(len(job.tasks))


def _spill(job: Job, task: int) -> list[int]:
    return [runs.spill(job, task)]


def _plan(job: Job, _: int) -> range:
    total = sum(sum(result["bad"].values()) for result in job.results(runs.STAGE, len(job.tasks)))
    if total > job.max_bad_records:
        raise UserError(f"{total} bad records, more than --max_bad_records={job.max_bad_records}")
    planned: dict[str, Json] = merging.plan(job)
    job.save_result("planned", 0, planned)
    return range(planned["shards"])


def _merge(job: Job, shard: int) -> list[int]:
    return [merging.merge(job, shard)]


def _finish(job: Job, _: int) -> list[int]:
    finishing.finish(job)
    return []


class AfterAll(beam.PTransform):
    """One number when the whole collection is there."""

    def expand(self, numbers: beam.PCollection) -> beam.PCollection:
        return (
            numbers
            | beam.Map(lambda number: (0, number))
            | beam.GroupByKey()
            | beam.Map(lambda _: 0)
        )


def build(pipeline: beam.Pipeline, job: Job) -> None:
    def stage(work: Callable[[Job, int], Iterable[int]]) -> beam.ParDo:
        return beam.ParDo(Stage(job, work))

    tasks = (
        pipeline
        | "Tasks" >> beam.Create(range(len(job.tasks)), reshuffle=False)
        | "SpreadTasks" >> beam.Reshuffle()
    )
    if job.partition.is_global:
        tasks = (
            tasks
            | "Index" >> stage(_index)
            | "Indexed" >> AfterAll()
            | "Assign" >> stage(_assign)
            | "SpreadAssigned" >> beam.Reshuffle()
        )
    _ = (
        tasks
        | "Spill" >> stage(_spill)
        | "Spilled" >> AfterAll()
        | "Plan" >> stage(_plan)
        | "SpreadShards" >> beam.Reshuffle()
        | "Merge" >> stage(_merge)
        | "Merged" >> AfterAll()
        | "Finish" >> stage(_finish)
    )
