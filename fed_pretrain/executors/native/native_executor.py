"""TFF's own C++ worker, with an end to every wait: timeouts, restarts, and no orphan."""

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf
from absl import logging

from fed_pretrain.executors.border import tff_private
from fed_pretrain.executors.device.placement import cores
from fed_pretrain.executors.executor import ClientInput, Executor, RoundOutput, cached, of_algorithm
from fed_pretrain.executors.executor_options import DEFAULT, ExecutorOptions
from fed_pretrain.executors.graphs import structures
from fed_pretrain.executors.native import collecting as client_states
from fed_pretrain.executors.native.worker_process import WorkerProcess
from groundwork.errors import UserError
from groundwork.untyped import Computation, Federated, Nested, Process, State, TffType

_MESSAGE_BYTES = 2_000_000_000
_CHANNEL = [
    (f"grpc.max_{kind}message_length", _MESSAGE_BYTES) for kind in ("", "send_", "receive_")
]


class NativeExecutor(Executor):
    """Runs whole computations in the worker; a worker that dies is started again.

    So is a closed one, when it is called: it may still be TFF's default context.
    """

    name = "native"

    def __init__(self, options: ExecutorOptions = DEFAULT) -> None:
        self._options = options
        self.fixed_shapes = bool(options.pad_batches)
        self._worker: WorkerProcess | None = None
        self._context: Any = None
        self._channel: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rounds: dict[int, tuple[Computation, Computation]] = {}
        self._maps: dict[int, tuple[Computation, Computation]] = {}
        self._sums: dict[int, tuple[Computation, Computation]] = {}

    @property
    def worker_pid(self) -> int | None:
        return self._worker.pid if self._worker is not None else None

    def initialize(self, process: Process) -> State:
        return self.invoke(of_algorithm(process).initialize)

    def run_round(
        self, process: Process, state: State, clients: Sequence[ClientInput]
    ) -> RoundOutput:
        began = time.perf_counter()
        computation = of_algorithm(process).next
        collecting = cached(
            self._rounds, computation, lambda: client_states.collecting(computation)
        )
        state_type, data_type = computation.type_signature.parameter
        state = _packed(state, state_type)
        data = [_client_value(data_type, c) for c in clients]
        read = time.perf_counter()
        states: dict[str, State] = {}
        if collecting is None:
            new_state, output = _pair(self.invoke(computation, state, data))
        else:
            *parts, gathered = self.invoke(collecting.computation, state, data)
            new_state, output = (
                _packed(part, kind)
                for part, kind in zip(parts, computation.type_signature.result, strict=True)
            )
            states = {
                client.client_id: collecting.nested(value)
                for client, value in zip(clients, gathered, strict=True)
            }
        ended = time.perf_counter()
        seconds = {"read": read - began, "work": ended - read, "total": ended - began}
        return RoundOutput(new_state, output, states, seconds)

    def map_clients(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Iterator[Nested]:
        mapped = cached(self._maps, computation, lambda: _federated(computation, False))
        yield from self.invoke(mapped, *_arguments(computation, value, clients))

    def sum_clients(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Nested:
        summed = cached(self._sums, computation, lambda: _federated(computation, True))
        return self.invoke(summed, *_arguments(computation, value, clients))

    def invoke(self, computation: Computation, *arguments: Nested) -> Nested:
        """Runs the computation; a crash of the worker is repaired and the call repeated."""
        return self.invoke_packed(computation, tff_private.packed_arguments(computation, arguments))

    def invoke_packed(self, computation: Computation, argument: Nested) -> Nested:
        for attempt in range(self._options.restarts + 1):
            context = self._ready()
            try:
                return self._once(context, computation, argument)
            except UserError:
                raise
            except Exception as error:
                if self._alive() and not tff_private.is_lost(error):
                    raise
                logging.warning("TFF's worker died (attempt %d): %s", attempt + 1, error)
                self._stop_worker()
        raise UserError(
            f"TFF's worker died {self._options.restarts + 1} times in one round "
            "(out of memory?); use --executor=device or fewer clients per round"
        )

    def close(self) -> None:
        self._stop_worker()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run_until_stopped, args=[self._loop], daemon=True).start()
        return self._loop

    def _once(self, context: Any, computation: Computation, argument: Nested) -> Nested:
        call = tff_private.invoke_once(context, computation, argument)
        future = asyncio.run_coroutine_threadsafe(call, self._running_loop())
        timeout = self._options.round_timeout
        deadline = time.monotonic() + timeout
        while True:
            try:
                return future.result(timeout=min(0.5, max(0.01, deadline - time.monotonic())))
            except concurrent.futures.TimeoutError:
                if future.done():
                    raise
                if time.monotonic() >= deadline:
                    self._stop_worker()
                    raise UserError(
                        f"a round on TFF's worker took more than --round_timeout={timeout:g} "
                        "seconds; the worker was ended"
                    ) from None
                if not self._alive():
                    self._stop_worker()

    def _ready(self) -> Nested:
        if not self._alive():
            self._stop_worker()
            try:
                self._start()
            except BaseException:
                self._stop_worker()
                raise
        return self._context

    def _alive(self) -> bool:
        return self._worker is not None and self._worker.alive()

    def _start(self) -> None:
        import grpc

        calls = self._options.clients_in_flight or cores()
        self._worker = WorkerProcess(calls, self._options.start_timeout)
        self._channel = grpc.insecure_channel(self._worker.address, _CHANNEL)
        _wait_for_channel(grpc, self._channel, self._worker, self._options.start_timeout)
        self._context = tff_private.worker_context(self._channel)

    def _stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.stop()
        if self._channel is not None:
            self._channel.close()
        self._worker = self._context = self._channel = None


def _run_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _wait_for_channel(grpc: Any, channel: Any, worker: WorkerProcess, timeout: float) -> None:
    """gRPC would go on calling a worker that died between opening its port and answering."""
    ready = grpc.channel_ready_future(channel)
    deadline = time.monotonic() + timeout
    while True:
        try:
            return ready.result(timeout=0.5)
        except grpc.FutureTimeoutError:
            worker.check_alive()
            if time.monotonic() > deadline:
                raise UserError(
                    f"TFF's worker did not answer within --start_timeout={timeout:g} seconds"
                ) from None


def _pair(result: Nested) -> tuple[Nested, Nested]:
    return (result.state, result.metrics) if hasattr(result, "metrics") else tuple(result)


def _arguments(
    computation: Computation, value: Nested, clients: Sequence[ClientInput]
) -> tuple[Nested, Nested]:
    value_type, data_type = computation.type_signature.parameter
    return _packed(value, value_type), [_client_value(data_type, c) for c in clients]


def _packed(value: Nested, type_spec: TffType) -> Nested:
    """`value`, whatever containers and floats it comes in, as TFF's type has them."""
    tree = structures.from_type(type_spec)
    flat = zip(structures.flatten(value, tree), structures.leaves(tree), strict=True)
    return structures.pack([_of_dtype(item, leaf) for item, leaf in flat], type_spec)


def _of_dtype(value: Nested, leaf: structures.TensorLeaf | structures.SequenceLeaf) -> Nested:
    """Arithmetic with NumPy's float32 gives float64, which the worker would refuse."""
    if isinstance(leaf, structures.SequenceLeaf):
        return value
    found = structures.to_host(value)
    wanted = tf.as_dtype(leaf.dtype).as_numpy_dtype
    return found if found.dtype == wanted else found.astype(wanted, casting="same_kind")


def _client_value(type_spec: TffType, client: ClientInput) -> Nested:
    """The client's payload (and state) as datasets of one element."""
    tree = structures.from_type(type_spec)
    if isinstance(tree, structures.SequenceLeaf):
        return _dataset(client.read(), tree)
    assert isinstance(tree, structures.Struct)
    values = {"data": client.read, "state": lambda: client.state}
    parts = zip(tree.names, tree.children, strict=True)
    return {str(name): _dataset(values[str(name)](), leaf) for name, leaf in parts}


def _dataset(value: Nested, leaf: structures.Tree) -> tf.data.Dataset:
    assert isinstance(leaf, structures.SequenceLeaf)
    return tf.data.Dataset.from_tensors(structures.element_value(value, leaf.element))


def _federated(computation: Computation, summed: bool) -> Computation:
    import tensorflow_federated as tff

    value, data = computation.type_signature.parameter

    @tff.federated_computation(
        tff.types.FederatedType(value, tff.SERVER), tff.types.FederatedType(data, tff.CLIENTS)
    )
    def mapped(value: Federated, data: Federated) -> Federated:
        results = tff.federated_map(computation, (tff.federated_broadcast(value), data))
        return tff.federated_sum(results) if summed else results

    return mapped
