"""TFF contexts over our executors: `process.next(...)` and TFF's programs run unchanged."""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

import tensorflow_federated as tff
from absl import logging

from fed_pretrain.executors.border import tff_private
from fed_pretrain.executors.device import device_program
from fed_pretrain.executors.device.client_slots import Seconds
from fed_pretrain.executors.device.device_executor import DeviceExecutor
from fed_pretrain.executors.executor import ClientInput, Executor, cached
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.graphs import map_reduce, structures
from fed_pretrain.executors.native.native_executor import NativeExecutor
from groundwork.errors import UserError
from groundwork.untyped import Computation, Federated, Nested, State

Runner = Callable[[Nested], Nested]


class DeviceInvoker:
    """Finds for each computation the way it can run in process; keeps what it compiled."""

    def __init__(self, device: DeviceExecutor, fall_back: bool) -> None:
        self._device = device
        self._fall_back = fall_back
        self._native: NativeExecutor | None = None
        self._runners: dict[int, tuple[Computation, Runner]] = {}

    def __call__(self, computation: Computation, argument: Nested) -> Nested:
        return cached(self._runners, computation, lambda: self._runner(computation))(argument)

    def close(self) -> None:
        if self._native is not None:
            self._native.close()

    def _runner(self, computation: Computation) -> Runner:
        if _is_tensorflow(computation):
            return lambda argument: self._device.run_tensorflow(computation, argument)
        reasons = []
        for way in (self._without_clients, self._round, self._one_result, self._data_only):
            try:
                return way(computation)
            except (UserError, TypeError, ValueError) as error:
                reasons.append(str(error))
        if not self._fall_back:
            raise map_reduce.NotMapReduce(reasons[1])
        logging.warning("this computation runs on TFF's worker: %s", reasons[1])
        return lambda argument: self._on_worker(computation, argument)

    def _without_clients(self, computation: Computation) -> Runner:
        if computation.type_signature.parameter is not None:
            raise TypeError("takes an argument")
        local = tff_private.initial_state(computation)
        result_type = computation.type_signature.result
        return lambda _: structures.pack(self._device.run_flat(local, None), result_type)

    def _round(self, computation: Computation) -> Runner:
        """`(state@SERVER, data@CLIENTS) -> (state@SERVER, output@SERVER)`."""
        compiled = self._device.program(computation)
        result_type = computation.type_signature.result

        def run(argument: Nested) -> Nested:
            state, data = argument
            result = self._run(compiled, state, data)
            return structures.pack([*result.state, *result.output], result_type)

        return run

    def _one_result(self, computation: Computation) -> Runner:
        """`(value@SERVER, data@CLIENTS) -> result@SERVER`, as in an evaluation."""
        parameter = computation.type_signature.parameter

        @tff.federated_computation(parameter)
        def with_state(argument: Federated) -> Federated:
            return argument[0], computation(*[argument[i] for i in range(len(parameter))])

        compiled = self._device.program(with_state)
        result_type = computation.type_signature.result

        def run(argument: Nested) -> Nested:
            value, data = argument
            return structures.pack(self._run(compiled, value, data).output, result_type)

        return run

    def _data_only(self, computation: Computation) -> Runner:
        """`data@CLIENTS -> result@SERVER`."""
        nothing = tff.types.FederatedType(tff.types.StructType([]), tff.SERVER)

        @tff.federated_computation(nothing, computation.type_signature.parameter)
        def with_nothing(state: Federated, data: Federated) -> Federated:
            return state, computation(data)

        compiled = self._device.program(with_nothing)
        result_type = computation.type_signature.result
        return lambda data: structures.pack(self._run(compiled, (), data).output, result_type)

    def _run(
        self, compiled: device_program.DeviceProgram, state: State, data: Nested
    ) -> device_program.RoundResult:
        program = compiled.program
        tree = program.data_tree
        clients = [ClientInput(str(i), _constant(value)) for i, value in enumerate(data)]
        flat = device_program.flat_state(state, program)
        return compiled.run(
            flat, lambda client: structures.flatten(client.read(), tree), clients, Seconds()
        )

    def _on_worker(self, computation: Computation, argument: Nested) -> Nested:
        if self._native is None:
            self._native = NativeExecutor(ExecutorOptions(executor="native"))
        return self._native.invoke_packed(computation, argument)


class _WithLocal(Protocol):
    """An executor of clients elsewhere, and one for the rest in this process."""

    local: DeviceExecutor


class SyncContext(tff.framework.SyncContext):
    def __init__(self, invoke: Callable[[Nested, Nested], Nested]) -> None:
        self._invoke = invoke

    def invoke(self, comp: Computation, arg: Nested) -> Nested:
        return self._invoke(comp, arg)


class AsyncContext(tff.framework.AsyncContext):
    """One call at a time, in a thread, so that the program's event loop stays free."""

    def __init__(self, invoke: Callable[[Nested, Nested], Nested]) -> None:
        self._invoke = invoke

    async def invoke(self, comp: Computation, arg: Nested) -> Nested:
        if asyncio.iscoroutine(arg):
            arg = await arg
        return await asyncio.get_running_loop().run_in_executor(None, self._invoke, comp, arg)


def invoker(executor: Executor, fall_back: bool = True) -> Callable[[Nested, Nested], Nested]:
    """How `executor` runs any TFF computation."""
    if isinstance(executor, NativeExecutor):
        return executor.invoke_packed
    if isinstance(executor, DeviceExecutor):
        return DeviceInvoker(executor, fall_back)
    # What is not a round runs right here.
    return DeviceInvoker(cast(_WithLocal, executor).local, fall_back)


def install_default(
    executor: Executor, asynchronous: bool = False, fall_back: bool = True
) -> SyncContext | AsyncContext:
    """Makes `executor` TFF's default context; returns the context."""
    invoke = invoker(executor, fall_back)
    context = AsyncContext(invoke) if asynchronous else SyncContext(invoke)
    tff.framework.set_default_context(context)
    return context


def _is_tensorflow(computation: Computation) -> bool:
    proto = tff.framework.serialize_computation(computation)
    return bool(proto.WhichOneof("computation") == "tensorflow")


def _constant(value: Nested) -> Callable[[], Nested]:
    return lambda: value
