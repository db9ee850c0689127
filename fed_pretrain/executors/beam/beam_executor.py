"""Rounds and evaluations as Beam pipelines: clients are worked on wherever the engine runs.

    (index, client) -> work -> (index, update)
    group by index // fan_out, sort, accumulate -> group by // fan_out, sort, merge -> ... -> total

Beam combines in any order, so there is no CombineFn: keys fix the order, and the result depends
neither on bundles nor on retries. A round has a fixed cost (`seconds["engine"]`); this executor is
for evaluations, Hessians and large cohorts.
"""

import contextlib
import logging
import pickle
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions

from fed_pretrain.executors.beam import beam_worker
from fed_pretrain.executors.device import device_program
from fed_pretrain.executors.device.device_executor import DeviceExecutor
from fed_pretrain.executors.device.device_program import ServerProgram
from fed_pretrain.executors.executor import ClientInput, Executor, RoundOutput, cached, of_algorithm
from fed_pretrain.executors.executor_options import DEFAULT, ExecutorOptions
from fed_pretrain.executors.graphs import graph_spec, structures
from fed_pretrain.executors.graphs.map_reduce import MapReduceProgram, Tap, compile_program
from groundwork import files, owners, worker_errors
from groundwork.errors import UserError, words_of
from groundwork.stores import mirror
from groundwork.untyped import Computation, Leaf, Nested, Process, State

_LOCAL = "fed-pretrain-beam-"
_TOTAL = "total"
_PARTS = "parts"
_ENGINE_FAILED = subprocess.SubprocessError, OSError, grpc.RpcError, grpc.FutureTimeoutError


class BeamExecutor(Executor):
    """The driver keeps the state and does the server's part in its own process."""

    name = "beam"
    reads_elsewhere = True

    def __init__(self, options: ExecutorOptions = DEFAULT) -> None:
        self._options = options
        self.local = DeviceExecutor(options)
        self.fixed_shapes = self.local.fixed_shapes
        self._programs: dict[int, tuple[Computation, tuple[MapReduceProgram, ServerProgram]]] = {}
        self._specs: dict[int, tuple[Computation, graph_spec.GraphSpec]] = {}

    def initialize(self, process: Process) -> State:
        return self.local.initialize(process)

    def run_round(
        self, process: Process, state: State, clients: Sequence[ClientInput]
    ) -> RoundOutput:
        began = time.perf_counter()
        computation = of_algorithm(process).next
        program, server = cached(self._programs, computation, lambda: self._compile(computation))
        flat = device_program.flat_state(state, program)
        broadcast = structures.all_to_host(server.broadcast(flat))
        compiled = time.perf_counter()
        totals = beam_worker.Totals(program)
        if clients:
            with _Exchange(self._options) as exchange:
                exchange.run(
                    _Job(
                        beam_worker.ClientTask(program.work, 0),
                        totals.accumulate,
                        totals.merge,
                        broadcast,
                        program.tap,
                    ),
                    clients,
                )
                total = exchange.read(_TOTAL)
                states = dict(pair for part in exchange.read_parts() for pair in part)
        else:
            total, states = totals.accumulate([]), {}
        ran = time.perf_counter()
        split = len(program.zero.outputs)
        parts = device_program.Total(total.values[:split], total.values[split:])
        new_state, output = server.finish(flat, parts)
        state_type, output_type = computation.type_signature.result
        packed = structures.pack(new_state, state_type), structures.pack(output, output_type)
        seconds = {
            "compile": compiled - began,
            "work": total.seconds,
            "engine": ran - compiled - total.seconds / self._workers(),
            "total": time.perf_counter() - began,
        }
        return RoundOutput(
            *packed, {c.client_id: states[c.client_id] for c in clients if states}, seconds
        )

    def map_clients(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Iterator[Nested]:
        if not clients:
            return
        result_type = computation.type_signature.result
        with _Exchange(self._options) as exchange:
            exchange.run(self._mapped(computation, value, reduce=False), clients)
            for part in exchange.read_parts():
                for _, worked in part:
                    yield structures.pack(worked.values, result_type)

    def sum_clients(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Nested:
        if not clients:
            raise ValueError("a sum over no clients")
        with _Exchange(self._options) as exchange:
            exchange.run(self._mapped(computation, value, reduce=True), clients)
            total = exchange.read(_TOTAL)
        return structures.pack(total.values, computation.type_signature.result)

    def close(self) -> None:
        self.local.close()
        self._programs.clear()
        self._specs.clear()

    def _mapped(self, computation: Computation, value: Nested, reduce: bool) -> "_Job":
        spec = cached(self._specs, computation, lambda: graph_spec.from_computation(computation))
        assert isinstance(spec.input_tree, structures.Struct)
        shared = structures.all_to_host(structures.flatten(value, spec.input_tree.children[0]))
        task = beam_worker.ClientTask(spec, 1)
        sums = beam_worker.Sums()
        if reduce:
            return _Job(task, sums.accumulate, sums.merge, shared, None)
        return _Job(task, None, None, shared, None)

    def _compile(self, computation: Computation) -> tuple[MapReduceProgram, ServerProgram]:
        program = compile_program(computation, self._options.mixed_precision)
        return program, ServerProgram(program, "/CPU:0")

    def _workers(self) -> int:
        options = _pipeline_options(self._options).get_all_options()
        return max(1, int(options.get("direct_num_workers") or 1))


class _Job:
    """One pipeline: work on every client, and reduce the results unless `accumulate` is None."""

    def __init__(
        self,
        task: beam_worker.ClientTask,
        accumulate: beam_worker.Reduce | None,
        merge: beam_worker.Reduce | None,
        shared: list[Leaf],
        tap: Tap | None,
    ) -> None:
        self.task = task
        self.accumulate = accumulate
        self.merge = merge
        self.shared = shared
        self.tap = tap


class _Exchange:
    """A folder that workers write to and the driver reads; gone when the round is over."""

    def __init__(self, options: ExecutorOptions) -> None:
        self._options = options
        self._local = not options.exchange
        self._folder = options.exchange

    def __enter__(self) -> "_Exchange":
        if self._local:
            owners.remove_of_the_dead(Path(tempfile.gettempdir()).glob(f"{_LOCAL}*"))
            self._folder = tempfile.mkdtemp(prefix=f"{_LOCAL}{owners.mark()}-")
        else:
            place = mirror.place(self._options.exchange)
            owners.remove_of_the_dead(place.glob("round-*"))
            name = f"round-{owners.mark()}-{time.time_ns():x}"
            self._folder = f"{mirror.address(place)}/{name}"
            mirror.place(self._folder).mkdir(parents=True)
        return self

    def __exit__(self, *unused: object) -> None:
        mirror.remove_folder(self._folder)

    def run(self, job: _Job, clients: Sequence[ClientInput]) -> None:
        fan_out = self._options.fan_out
        numbered = list(enumerate(clients))
        try:
            pickle.dumps(numbered)
        except Exception as error:
            raise UserError(
                f"--executor=beam sends clients to workers, and these cannot be pickled: {error}"
            ) from error
        with _quiet(), _told(self._options.runner), _pipeline(self._options) as pipeline:
            shared = pipeline | "Broadcast" >> beam.Create([pickle.dumps(job.shared)])
            worked = (
                pipeline
                | "Cohort" >> beam.Create(numbered)
                | "Spread" >> beam.Reshuffle()
                | "Work" >> beam.ParDo(_Work(job.task), beam.pvalue.AsSingleton(shared))
            )
            if job.accumulate is None or job.merge is None:
                _write_parts(worked, self._folder, fan_out, "Results")
                return
            if job.tap is not None:
                taps = worked | "Tap" >> beam.MapTuple(_Tapped(job.tap, clients))
                _write_parts(taps, self._folder, fan_out, "States")
            reduce, count, level = job.accumulate, len(clients), 0
            while level == 0 or count > 1:
                worked = (
                    worked
                    | f"Key{level}" >> beam.MapTuple(_Key(fan_out))
                    | f"Group{level}" >> beam.GroupByKey()
                    | f"Reduce{level}" >> beam.MapTuple(_Reduce(reduce))
                )
                reduce, count, level = job.merge, -(-count // fan_out), level + 1
            _ = worked | "Write" >> beam.MapTuple(_Write(self._folder, _TOTAL))

    def read(self, name: str) -> Nested:
        return pickle.loads(mirror.file_here(self._folder, f"{name}-{0:08d}").read_bytes())

    def read_parts(self) -> Iterator[Nested]:
        """The parts in the order of the cohort, one in memory at a time."""
        for path in sorted(mirror.here(self._folder).glob(f"{_PARTS}-*")):
            yield pickle.loads(path.read_bytes())


class _Work(beam.DoFn):
    def __init__(self, task: beam_worker.ClientTask) -> None:
        self._task = task
        self._shared: tuple[bytes, list[Leaf]] | None = None

    def process(self, numbered: tuple[int, ClientInput], shared: bytes) -> Iterator[Nested]:
        if self._shared is None or self._shared[0] != shared:
            self._shared = shared, pickle.loads(shared)
        index, client = numbered
        yield index, self._task(client, self._shared[1])


class _Tapped:
    def __init__(self, tap: Tap, clients: Sequence[ClientInput]) -> None:
        self._tap = tap
        self._ids = [client.client_id for client in clients]

    def __call__(self, index: int, worked: beam_worker.Worked) -> tuple[int, Nested]:
        return index, (self._ids[index], self._tap.value(worked.values))


class _Key:
    def __init__(self, fan_out: int) -> None:
        self._fan_out = fan_out

    def __call__(self, index: int, value: Nested) -> tuple[int, Nested]:
        return index // self._fan_out, (index, value)


class _Reduce:
    def __init__(self, reduce: beam_worker.Reduce) -> None:
        self._reduce = reduce

    def __call__(self, group: int, keyed: Nested) -> tuple[int, Nested]:
        return group, beam_worker.in_order(self._reduce, keyed)


class _Sorted:
    def __call__(self, group: int, keyed: Nested) -> tuple[int, Nested]:
        return group, [value for _, value in sorted(keyed, key=lambda pair: pair[0])]


class _Write:
    """Whole or absent, and the same bytes if a retry writes again."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder = folder
        self._name = name

    def __call__(self, number: int, value: Nested) -> None:
        target = mirror.place(self._folder) / f"{self._name}-{number:08d}"
        target.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(target, pickle.dumps(value))
        mirror.let_go(target)


def _write_parts(values: Nested, folder: str, fan_out: int, label: str) -> None:
    numbered = label == "Results"
    _ = (
        values
        | f"{label}Key" >> beam.MapTuple(_Key(fan_out))
        | f"{label}Group" >> beam.GroupByKey()
        | f"{label}Sort" >> beam.MapTuple(_Numbered() if numbered else _Sorted())
        | f"{label}Write" >> beam.MapTuple(_Write(folder, _PARTS))
    )


class _Numbered:
    def __call__(self, group: int, keyed: Nested) -> tuple[int, Nested]:
        return group, sorted(keyed, key=lambda pair: pair[0])


def _pipeline_options(options: ExecutorOptions) -> PipelineOptions:
    return PipelineOptions(options.runner_options.split())


def _pipeline(options: ExecutorOptions) -> beam.Pipeline:
    pipeline = _made(options)
    # For transforms of other languages, of which we have none: a killed process would leave it.
    shutil.rmtree(pipeline.local_tempdir, ignore_errors=True)
    return pipeline


def _made(options: ExecutorOptions) -> beam.Pipeline:
    """Beam's own DirectRunner would look for a runner to download: FnApiRunner runs right here."""
    if options.runner in ("", "FnApiRunner"):
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        return beam.Pipeline(FnApiRunner(), options=_pipeline_options(options))
    try:
        return beam.Pipeline(options.runner, options=_pipeline_options(options))
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"--runner={options.runner}: Beam cannot make it: {error}") from error


@contextlib.contextmanager
def _told(runner: str) -> Iterator[None]:
    """A user's mistake on a worker, or an engine that is not there, as one sentence."""
    try:
        yield
    except _ENGINE_FAILED as error:
        why = words_of(error) if str(error).strip() else "it does not answer"
        raise UserError(f"--runner={runner}: the engine failed: {why}") from error
    except (UserError, RuntimeError) as error:
        raise worker_errors.raised(error) or error from error


class _quiet:
    """Beam's remarks on every pipeline, without those that matter."""

    def __enter__(self) -> None:
        self._level = logging.getLogger("apache_beam").level
        logging.getLogger("apache_beam").setLevel(logging.ERROR)

    def __exit__(self, *unused: object) -> None:
        logging.getLogger("apache_beam").setLevel(self._level)
