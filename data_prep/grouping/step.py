"""A piece of work as a DoFn: what the user must mend leaves it as one sentence."""

from collections.abc import Callable, Iterator

import apache_beam as beam

from data_prep.grouping.job import Job
from data_prep.grouping.reading import READ, Stopped, TooManyBadRecords
from groundwork import files
from groundwork.errors import NO_ROOM, UserError, of_system
from groundwork.staging import AGAIN, Interrupted
from groundwork.untyped import Json


class Step(beam.DoFn):
    """Calls `work(job, element, *side inputs)`, which yields what comes of the element.

    Every error is the engine's to retry; the last one ends the pipeline, which brings it to the
    driver (`groundwork.worker_errors`). Of a local job the other processes end their work quietly.
    """

    def __init__(self, job: Job, work: Callable[..., Iterator[Json]]) -> None:
        self._job = job
        self._work = work

    def process(self, element: Json, *side_inputs: Json) -> Iterator[Json]:
        files.reach(f"prepare_{self._work.__name__}")
        try:
            yield from self._work(self._job, element, *side_inputs)
        except Stopped:
            return
        except (TooManyBadRecords, UserError, OSError) as error:
            self._job.stop()
            raise _refusal(self._job, error) from None


def _refusal(job: Job, error: Exception) -> UserError:
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError):
        kind = Interrupted if job.local and error.errno in NO_ROOM else UserError
        return kind(of_system(error, AGAIN) if job.local else of_system(error))
    if job.num_kept(READ):
        return Interrupted(f"{error}; what was read of other files is kept")
    return UserError(str(error))


class Together(beam.PTransform):
    """All elements of a small collection as one."""

    def expand(self, elements: beam.PCollection) -> beam.PCollection:
        return (
            elements
            | beam.Map(lambda element: (0, element))
            | beam.GroupByKey()
            | beam.MapTuple(lambda _, together: list(together))
        )
