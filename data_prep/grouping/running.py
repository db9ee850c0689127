"""Runs a job's pipeline on a Beam runner; what ends it becomes one sentence."""

import contextlib
import dataclasses
import functools
import logging
import os
import shlex
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult, PipelineRunner
from apache_beam.transforms import environments

from data_prep.grouping import local_worker, pipeline
from data_prep.grouping.grouping import remove_runs_of_the_dead
from data_prep.grouping.job import Job, Task
from data_prep.grouping.watching import watched
from groundwork import worker_errors
from groundwork.errors import UserError
from groundwork.staging import Interrupted
from groundwork.stores import mirror, store

_LOCAL = ("", "FnApiRunner")
_WORKER_DIED = "Channel closed prematurely"
_LONGEST_WHY = 300


def run(
    job: Job,
    tasks: Sequence[Task],
    *,
    workers: int,
    beam_options: Sequence[str],
    expected: int | None,
) -> tuple[Job, PipelineResult]:
    """Runs the pipeline to its end; UserError with the sentence of a failed job."""
    options, runner = _runner(workers, beam_options)
    job = dataclasses.replace(job, local=runner is not None)
    remove_runs_of_the_dead(job)
    with _importable_by_workers(), _quiet_beam(), _alone_in_store(job):
        graph = _pipeline(runner, options)
        pipeline.build(graph, job, tasks if job.local else [_addressed(task) for task in tasks])
        try:
            with watched(job, tasks, expected):
                result = graph.run()
                result.wait_until_finish()
        except Exception as error:
            raise _refusal(job, error, beam_options) or error from None
    return job, result


def _addressed(task: Task) -> Task:
    """With the URL of each file that was brought here from a store."""
    units = (dataclasses.replace(unit, path=mirror.address(unit.path)) for unit in task.units)
    return task._replace(units=tuple(units))


@contextlib.contextmanager
def _alone_in_store(job: Job) -> Iterator[None]:
    """A store has no rename: what an older or a failed dataset left goes from the place itself."""
    if not job.in_store:
        yield
        return
    store.remove_all(job.output)
    try:
        yield
    except BaseException:
        store.remove_all(job.output)
        raise


def _refusal(job: Job, error: Exception, beam_options: Sequence[str]) -> UserError | None:
    """The sentence for what ended the pipeline; None where it is our own mistake."""
    mistake = worker_errors.raised(error)
    if mistake is not None:
        return mistake
    if job.local:
        if _WORKER_DIED not in str(error):
            return None
        return Interrupted(
            "a worker process died, perhaps killed by the system (out of memory?): the same "
            "command goes on from what is done; --workers=1 or a smaller --spill_mb may help"
        )
    name = PipelineOptions(list(beam_options)).view_as(StandardOptions).runner
    lines = str(error).strip().splitlines() or [type(error).__name__]
    why = lines[-1 if "Traceback" in str(error) else 0]
    return UserError(
        f"--runner={name}: Beam could not run the job on it ({why[:_LONGEST_WHY]}); without "
        "--runner the processes of this machine do it"
    )


def _pipeline(runner: PipelineRunner | None, options: PipelineOptions) -> beam.Pipeline:
    try:
        made = beam.Pipeline(runner=runner, options=options)
    except (ValueError, ImportError, AttributeError) as error:
        name = options.view_as(StandardOptions).runner
        lines = [line.strip(" .") for line in str(error).splitlines() if not line.endswith(": ")]
        raise UserError(
            f"--runner={name}: Beam refuses it ({'; '.join(lines)}); what it needs goes beside"
            " --runner, under the names that Beam gives its options"
        ) from error
    # For transforms of other languages, of which we have none: a killed process would leave it.
    shutil.rmtree(made.local_tempdir, ignore_errors=True)
    return made


def _runner(
    workers: int, beam_options: Sequence[str]
) -> tuple[PipelineOptions, PipelineRunner | None]:
    given = PipelineOptions(list(beam_options))
    name = given.view_as(StandardOptions).runner or ""
    if name == "DirectRunner":
        raise UserError(
            "--runner=DirectRunner downloads another runner and falls back without a word; leave "
            "--runner out (FnApiRunner, both cores) or name PrismRunner, FlinkRunner, SparkRunner"
        )
    if name not in _LOCAL:
        return given, None
    local = [option for option in beam_options if not option.startswith("--runner")]
    if workers == 1 or any(option.startswith("--direct_") for option in local):
        return PipelineOptions(local), FnApiRunner()
    processes = environments.SubprocessSDKEnvironment.from_command_string(
        f"exec {shlex.quote(sys.executable)} -m data_prep.grouping.local_worker"
    )
    local.append(f"--direct_num_workers={workers}")
    return PipelineOptions(local), FnApiRunner(default_environment=processes)


@contextlib.contextmanager
def _importable_by_workers() -> Iterator[None]:
    """Worker processes start from nothing: they must find this package and the user's modules."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *(path for path in sys.path if path and path != root)]
    told = {"PYTHONPATH": os.pathsep.join(paths), local_worker.DRIVER: str(os.getpid())}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _quiet_beam() -> Iterator[None]:
    """Beam logs an error that it also raises, of an engine by the root logger."""
    _quiet_threads()
    logger, root = logging.getLogger("apache_beam"), logging.getLogger()
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    root.addFilter(_no_error)
    try:
        yield
    finally:
        root.removeFilter(_no_error)
        logger.setLevel(level)


def _no_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


@functools.cache
def _quiet_threads() -> None:
    """The runner's threads print what ends them when a worker died, some after the run is over."""
    before = threading.excepthook

    def hook(raised: threading.ExceptHookArgs) -> None:
        of_grpc = raised.exc_type.__module__.startswith("grpc")
        if not of_grpc and "Worker subprocess exited" not in str(raised.exc_value):
            before(raised)

    threading.excepthook = hook
