"""Runs a job's pipeline on a Beam runner, and shows how far it is."""

import contextlib
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
from apache_beam.runners.runner import PipelineRunner
from apache_beam.transforms import environments

from data_prep.grouping import assigning, local_worker, merging, pipeline, runs
from data_prep.grouping.job import Job
from data_prep.sources.parsing.compressed import SUFFIXES
from groundwork.errors import NO_ROOM, UserError, of_system
from groundwork.progress import Progress
from groundwork.staging import AGAIN, Interrupted

_LOCAL = ("", "FnApiRunner")
_WORKER_DIED = "Channel closed prematurely"
_POLL_SECONDS = 0.25
_LONGEST_WHY = 300


def run(job: Job, *, workers: int, beam_options: Sequence[str], expected: int | None) -> None:
    """Runs the pipeline to its end; UserError with the sentence of a failed job."""
    options, runner = _runner(workers, beam_options)
    runs.remove_of_the_dead(job)
    with _importable_by_workers(), _progress(job, expected), _quiet_beam():
        graph = _pipeline(runner, options)
        pipeline.build(graph, job)
        try:
            _wait(job, graph, beam_options)
        except RuntimeError as error:
            job.check()
            for number in NO_ROOM:  # Not even the failure could be written down.
                if os.strerror(number) in str(error):
                    raise Interrupted(of_system(OSError(number, ""), AGAIN)) from error
            if _WORKER_DIED not in str(error):
                raise
            raise Interrupted(
                "a worker process died, perhaps killed by the system (out of memory?): the same "
                "command goes on from what is done; --workers=1 or a smaller --spill_mb may help"
            ) from None
    job.check()


def _wait(job: Job, graph: beam.Pipeline, beam_options: Sequence[str]) -> None:
    name = PipelineOptions(list(beam_options)).view_as(StandardOptions).runner or ""
    try:
        graph.run().wait_until_finish()
    except Exception as error:  # An engine that is not there fails in its own way.
        if name in _LOCAL:
            raise
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:_LONGEST_WHY]
        refusal = Interrupted if job.has_results(runs.STAGE) else UserError
        raise refusal(
            f"--runner={name}: Beam could not run the job on it ({why}); without --runner the "
            "processes of this machine do it"
        ) from error


def _pipeline(runner: PipelineRunner | None, options: PipelineOptions) -> beam.Pipeline:
    try:
        made = beam.Pipeline(runner=runner, options=options)
    except (ValueError, ImportError, AttributeError) as error:
        why = "; ".join(str(error).split("\n"))
        raise UserError(f"--runner: Beam cannot make it: {why}") from error
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
    """Beam logs an error that it also raises."""
    _quiet_threads()
    logger = logging.getLogger("apache_beam")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@functools.cache
def _quiet_threads() -> None:
    """The runner's threads print what ends them when a worker died, some after the run is over."""
    before = threading.excepthook

    def hook(raised: threading.ExceptHookArgs) -> None:
        of_grpc = raised.exc_type.__module__.startswith("grpc")
        if not of_grpc and "Worker subprocess exited" not in str(raised.exc_value):
            before(raised)

    threading.excepthook = hook


@contextlib.contextmanager
def _progress(job: Job, expected: int | None) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(job, expected, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _watch(job: Job, expected: int | None, stop: threading.Event) -> None:
    """Shows each stage from the files it leaves: that works with workers anywhere."""
    stages = [(runs.STAGE, "read and sort")]
    if job.partition.is_global:
        stages.insert(0, (assigning.STAGE, "look at labels"))
    for stage, label in stages:
        progress = Progress(label, expected)
        done: dict[int, int] = {}
        whole = _in_one_piece(job)
        while len(done) < len(job.tasks) and not stop.wait(_POLL_SECONDS):
            progress.update(
                _examples(job, stage, done), f"files {len(done)}/{len(job.tasks)}{whole}"
            )
        if len(done) == len(job.tasks):
            progress.close(f"{sum(done.values()):,} examples")
    planned = None
    while planned is None and not stop.wait(_POLL_SECONDS):
        planned = job.result("planned", 0)
    if planned is None:
        return
    shards = planned["shards"]
    progress = Progress("write shards", shards)
    finished = 0
    while finished < shards and not stop.wait(_POLL_SECONDS):
        folder = job.staging / merging.STAGE
        finished = len(list(folder.glob("*.json"))) if folder.exists() else 0
        progress.update(finished)
    progress.close()


def _in_one_piece(job: Job) -> str:
    """A compressed file cannot be entered in its middle: a kill costs what was read of it."""
    compressed = sum(unit.path.endswith(SUFFIXES) for unit in job.units)
    return f", {compressed:,} compressed ones each in one piece" if compressed else ""


def _examples(job: Job, stage: str, done: dict[int, int]) -> int:
    """Examples read so far; notes finished tasks in `done`."""
    for task in range(len(job.tasks)):
        if task not in done and (result := job.result(stage, task)) is not None:
            done[task] = result["examples"]
    running = 0
    for path in (job.staging / "progress").glob(f"{stage}-*"):
        if int(path.name.rpartition("-")[2]) not in done:
            with contextlib.suppress(OSError, ValueError):
                running += int(path.read_text() or 0)
    return sum(done.values()) + running
