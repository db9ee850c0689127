"""Client work lowered once a shape and run by workers that have a current JAX, one a device.

The server's part of a round stays in this process, on its CPU. The broadcast goes to each worker
once a round, clients go in launches, and one total comes back. With several devices each takes a
run of the cohort, and their totals are merged in their order.
"""

import concurrent.futures
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import tensorflow as tf
from absl import logging

from fed_pretrain.executors.device import client_slots, device_program
from fed_pretrain.executors.device.client_slots import Seconds
from fed_pretrain.executors.device.device_executor import DeviceExecutor
from fed_pretrain.executors.device.device_program import ServerProgram, Total
from fed_pretrain.executors.executor import ClientInput, Executor, RoundOutput, cached, of_algorithm
from fed_pretrain.executors.executor_options import DEFAULT, ExecutorOptions
from fed_pretrain.executors.graphs import map_reduce, structures
from fed_pretrain.executors.graphs.map_reduce import MapReduceProgram
from fed_pretrain.executors.pjrt import environment, part_of_cohort
from fed_pretrain.executors.pjrt.client_step import ClientStep, own_arrays
from fed_pretrain.executors.pjrt.device_part import DevicePart
from fed_pretrain.executors.pjrt.device_worker import (
    Deadline,
    DeviceWorker,
    WorkerFailed,
    WorkerLost,
)
from groundwork.errors import UserError
from groundwork.untyped import Computation, Json, Leaf, Nested, Process, State

Result = TypeVar("Result")
_MEMORY = ("RESOURCE_EXHAUSTED", "out of memory", "Out of memory")


class _Round(NamedTuple):
    program: MapReduceProgram
    server: ServerProgram
    step: ClientStep


class PjrtExecutor(Executor):
    """`local` does the server's part and whatever is not client work."""

    name = "pjrt"

    def __init__(self, options: ExecutorOptions = DEFAULT) -> None:
        self._options = options
        self._devices = environment.devices_of(options.devices)
        for device in self._devices:
            environment.python_of(device, options.pjrt_python)
        self.local = DeviceExecutor(
            dataclasses.replace(options, devices="CPU", mixed_precision=False)
        )
        self._workers: list[DeviceWorker] = []
        self._start()
        self._readers = concurrent.futures.ThreadPoolExecutor(4, thread_name_prefix="reader")
        self._parts = concurrent.futures.ThreadPoolExecutor(
            len(self._devices), thread_name_prefix="device"
        )
        self._rounds: dict[int, tuple[Computation, _Round]] = {}
        self._steps: dict[tuple[int, bool], tuple[Computation, ClientStep]] = {}
        self._most = options.clients_in_flight

    @property
    def worker_pids(self) -> list[int]:
        return [worker.pid for worker in self._workers]

    def initialize(self, process: Process) -> State:
        return self.local.initialize(process)

    def run_round(
        self, process: Process, state: State, clients: Sequence[ClientInput]
    ) -> RoundOutput:
        began = time.perf_counter()
        seconds = Seconds()
        computation = of_algorithm(process).next
        program, server, step = cached(
            self._rounds, computation, lambda: self._compile(computation)
        )
        seconds.add("compile", began)
        since = time.perf_counter()
        flat = device_program.flat_state(state, program)
        shared = _on_host(server.broadcast(flat))
        start = server.start()
        carry = _on_host(start.plain)
        seconds.add("server", since)
        tree = program.data_tree

        def one_part(part: DevicePart, share: Sequence[ClientInput]) -> Nested:
            kept = part.run(step, carry, shared, self._read(tree, share, seconds))
            return list(kept), part.finish()

        found = self._repeated(one_part, clients)
        since = time.perf_counter()
        totals = [_total(arrays, len(carry), start) for _, arrays in found]
        new_state, output = server.finish(flat, server.merged(totals))
        states: dict[str, State] = {}
        if program.tap is not None:
            kept = [one for several, _ in found for one in several]
            states = {
                client.client_id: structures.unflatten(iter(values), program.tap.tree)
                for client, values in zip(clients, kept, strict=True)
            }
        state_type, output_type = computation.type_signature.result
        packed = structures.pack(new_state, state_type), structures.pack(output, output_type)
        seconds.add("server", since)
        seconds.add("total", began)
        return RoundOutput(*packed, states, seconds.parts)

    def map_clients(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Iterator[Nested]:
        result_type = computation.type_signature.result
        step, shared, data = self._mapped(computation, value, summed=False)

        def one_part(part: DevicePart, share: Sequence[ClientInput]) -> list[list[np.ndarray]]:
            return list(part.run(step, [], shared, self._read(data, share, Seconds())))

        for several in self._repeated(one_part, clients):
            for flat in several:
                yield structures.pack(flat, result_type)

    def sum_clients(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Nested:
        if not clients:
            raise ValueError("a sum over no clients")
        step, shared, data = self._mapped(computation, value, summed=True)

        def one_part(part: DevicePart, share: Sequence[ClientInput]) -> list[np.ndarray]:
            for _ in part.run(step, [], shared, self._read(data, share, Seconds())):
                pass
            return part.finish()

        first, *others = [total for total in self._repeated(one_part, clients) if total]
        for other in others:
            first = [a + b for a, b in zip(first, other, strict=True)]
        return structures.pack(first, computation.type_signature.result)

    def op_table(self, process: Process, state: State, client: ClientInput) -> str:
        return f"client work is done in worker processes: {self.runs_on()}"

    def runs_on(self) -> str:
        return "; ".join(worker.runs_on() for worker in self._ready())

    @contextlib.contextmanager
    def profiled(self, folder: Path) -> Iterator[None]:
        """Of each worker that lives until the end of the block."""
        workers = self._ready()
        for worker in workers:
            place = folder.resolve() / str(worker.device).replace(":", "_")
            self._profile(worker, {"verb": "profile", "folder": str(place)})
        yield
        if self._workers is workers:
            for worker in workers:
                self._profile(worker, {"verb": "profiled"})

    def _profile(self, worker: DeviceWorker, message: Json) -> None:
        deadline = Deadline.after(self._options.round_timeout, "round_timeout")
        try:
            worker.call(message, deadline)
        except (WorkerFailed, WorkerLost) as error:
            raise UserError(f"--profile: {error}") from error

    def close(self) -> None:
        self._stop()
        self._parts.shutdown(wait=True, cancel_futures=True)
        self._readers.shutdown(wait=True, cancel_futures=True)
        self.local.close()
        self._rounds.clear()
        self._steps.clear()

    def _compile(self, computation: Computation) -> _Round:
        program = map_reduce.compile_program(computation, self._options.mixed_precision)
        server = ServerProgram(program, self.local.server_device)
        return _Round(program, server, ClientStep.of_round(program))

    def _mapped(
        self, computation: Computation, value: Nested, summed: bool
    ) -> tuple[ClientStep, list[np.ndarray], structures.Tree]:
        key = (id(computation), summed)
        if key not in self._steps:
            self._steps[key] = computation, ClientStep.of_computation(computation, summed)
        step = self._steps[key][1]
        assert isinstance(step.work.input_tree, structures.Struct)
        server, data = step.work.input_tree.children
        pairs = zip(structures.flatten(value, server), structures.leaves(server), strict=True)
        shared = [
            leaf.array(item) for item, leaf in pairs if isinstance(leaf, structures.TensorLeaf)
        ]
        return step, shared, data

    def _read(
        self, tree: structures.Tree, clients: Sequence[ClientInput], seconds: Seconds
    ) -> Iterator[list[np.ndarray]]:
        """The clients' padded arrays, read ahead in cohort order."""
        arguments = client_slots.client_arguments(tree, pad=True)

        def read(client: ClientInput) -> list[np.ndarray]:
            began = time.perf_counter()
            arrays = own_arrays(tree, arguments(client))
            seconds.add("read", began)
            return arrays

        return client_slots.ordered(self._readers, read, clients, 16)

    def _repeated(
        self,
        work: Callable[[DevicePart, Sequence[ClientInput]], Result],
        clients: Sequence[ClientInput],
    ) -> list[Result]:
        """`work` on each device's share; again where a worker died or had too little memory."""
        deaths = 0
        while True:
            try:
                return self._once(work, clients)
            except WorkerLost as error:
                deaths += 1
                logging.warning("%s (attempt %d)", error, deaths)
                self._stop()
                if deaths > self._options.restarts:
                    raise UserError(
                        f"--executor=pjrt: {error}; workers died {deaths} times in one round"
                    ) from error
            except WorkerFailed as error:
                if not any(words in str(error) for words in _MEMORY) or self._most == 1:
                    raise UserError(f"--executor=pjrt: {error}") from error
                self._most = (self._most or part_of_cohort.WAVE) // 4 or 1
                logging.warning("%s: again with %d clients at once", error, self._most)

    def _once(
        self,
        work: Callable[[DevicePart, Sequence[ClientInput]], Result],
        clients: Sequence[ClientInput],
    ) -> list[Result]:
        workers = self._ready()
        deadline = Deadline.after(self._options.round_timeout, "round_timeout")
        parts = [DevicePart(worker, deadline, self._most) for worker in workers]
        shares = np.array_split(np.arange(len(clients)), len(parts))
        futures = [
            self._parts.submit(work, part, [clients[i] for i in share])
            for part, share in zip(parts, shares, strict=True)
        ]
        concurrent.futures.wait(futures)
        return [future.result() for future in futures]

    def _ready(self) -> list[DeviceWorker]:
        self._start()
        for worker in self._workers:
            worker.ready(Deadline.after(self._options.start_timeout, "start_timeout"))
        return self._workers

    def _start(self) -> None:
        if not self._workers:
            exact = not self._options.mixed_precision
            self._workers = [
                DeviceWorker(device, self._options.pjrt_python, exact, self._options.deterministic)
                for device in self._devices
            ]

    def _stop(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._workers = []


def _total(arrays: Sequence[np.ndarray], split: int, start: Total) -> Total:
    """Without clients nothing was summed."""
    secure = list(arrays[split:]) or start.secure
    return Total([tf.constant(a) for a in arrays[:split]], [tf.constant(s) for s in secure])


def _on_host(tensors: Sequence[Leaf]) -> list[np.ndarray]:
    return [np.asarray(value) for value in structures.all_to_host(tensors)]
