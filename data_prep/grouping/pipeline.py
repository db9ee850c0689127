"""The job as a Beam pipeline: it hands out task and shard numbers, and waits between stages."""

from collections.abc import Callable, Iterable, Iterator

import apache_beam as beam

from data_prep.grouping import assigning, finishing, merging, runs
from data_prep.grouping.job import Job
from data_prep.grouping.reading import TooManyBadRecords
from groundwork import files
from groundwork.errors import NO_ROOM, UserError, of_system
from groundwork.staging import AGAIN
from groundwork.untyped import Json


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
        except TooManyBadRecords as error:
            whole = self._job.has_results(runs.STAGE)
            kept = "; what was read of other files is kept" if whole else ""
            self._job.fail(f"{error}{kept}", sound=whole)
        except UserError as error:
            self._job.fail(str(error))
        except OSError as error:
            self._job.fail(of_system(error, AGAIN), sound=error.errno in NO_ROOM)
        else:
            yield from done


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
        raise TooManyBadRecords(
            f"{total} bad records, more than --max_bad_records={job.max_bad_records}"
        )
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
