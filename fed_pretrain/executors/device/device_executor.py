"""The default executor: TFF computations in this process, on the devices asked for."""

import concurrent.futures
import time
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from fed_pretrain.executors.border import tff_private
from fed_pretrain.executors.device import client_slots, device_program, op_report, placement
from fed_pretrain.executors.device.client_slots import ClientSlots, Seconds
from fed_pretrain.executors.device.device_program import DeviceProgram
from fed_pretrain.executors.executor import ClientInput, Executor, RoundOutput, cached, of_algorithm
from fed_pretrain.executors.executor_options import DEFAULT, ExecutorOptions
from fed_pretrain.executors.graphs import graph_spec, map_reduce, structures
from fed_pretrain.executors.graphs.graph_import import ImportedGraph
from groundwork.untyped import Computation, Leaf, Nested, Process, State


class DeviceExecutor(Executor):
    """Compiles each computation once and keeps it."""

    name = "device"

    def __init__(self, options: ExecutorOptions = DEFAULT) -> None:
        self.placement = placement.place(options)
        self.server_device = self.placement.server
        self.mixed_precision = options.mixed_precision
        self._compiled = options.jit or self.placement.on_tpu
        on_cpu = self.placement.on_cpu and not self._compiled
        self.fixed_shapes = bool(options.pad_batches) or not on_cpu
        self._pool = concurrent.futures.ThreadPoolExecutor(
            self.placement.clients_in_flight, thread_name_prefix="client"
        )
        self._programs: dict[int, tuple[Computation, DeviceProgram]] = {}
        self._initial: dict[int, tuple[Computation, Computation]] = {}
        self._graphs: dict[int, tuple[Computation, ImportedGraph]] = {}
        self._works: dict[int, tuple[Computation, ClientSlots]] = {}
        # The last state as arrays and as tensors: the next round takes back what it is given.
        self._last: list[tuple[Leaf, tf.Tensor]] = []

    def initialize(self, process: Process) -> State:
        computation = of_algorithm(process).initialize
        local = cached(self._initial, computation, lambda: tff_private.initial_state(computation))
        flat = self.run_flat(local, None)
        return structures.pack(flat, computation.type_signature.result)

    def run_round(
        self, process: Process, state: State, clients: Sequence[ClientInput]
    ) -> RoundOutput:
        began = time.perf_counter()
        seconds = Seconds()
        computation = of_algorithm(process).next
        compiled = self.program(computation)
        seconds.add("compile", began)
        arguments = self.client_arguments(compiled.program.data_tree)
        flat = device_program.flat_state(state, compiled.program, self._last)
        result = compiled.run(flat, arguments, clients, seconds)
        new_state, output = computation.type_signature.result
        packed = structures.pack(result.state, new_state), structures.pack(result.output, output)
        arrays = structures.flatten(packed[0], compiled.program.prepare.input_tree)
        self._last = list(zip(arrays, result.state, strict=True))
        seconds.add("total", began)
        return RoundOutput(*packed, result.client_states, seconds.parts)

    def map_clients(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Iterator[Nested]:
        result_type = computation.type_signature.result
        for flat in self._map(computation, value, clients):
            yield structures.pack(flat, result_type)

    def sum_clients(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Nested:
        total: list[Leaf] | None = None
        for flat in self._map(computation, value, clients):
            with tf.device(self.placement.server):
                total = flat if total is None else [a + b for a, b in zip(total, flat, strict=True)]
        if total is None:
            raise ValueError("a sum over no clients")
        return structures.pack(total, computation.type_signature.result)

    def run_tensorflow(self, computation: Computation, argument: Nested = None) -> Nested:
        """Runs a `tff.tensorflow.computation` on the server's device."""
        flat = self.run_flat(computation, argument)
        return structures.pack(flat, computation.type_signature.result)

    def run_flat(self, computation: Computation, argument: Nested) -> list[Leaf]:
        graph = cached(
            self._graphs,
            computation,
            lambda: ImportedGraph(graph_spec.from_computation(computation)),
        )
        tree = graph.spec.input_tree
        flat = (
            []
            if computation.type_signature.parameter is None
            else structures.flatten(argument, tree)
        )
        with tf.device(self.placement.server):
            return graph(flat)

    def client_arguments(self, tree: structures.Tree) -> Callable[[ClientInput], list[Leaf]]:
        return client_slots.client_arguments(tree, pad=self._compiled)

    def client_slots(self, spec: graph_spec.GraphSpec) -> ClientSlots:
        """`spec` imported anew, to be closed by the caller."""
        return ClientSlots(spec, self.placement, self._pool, self._compiled)

    def program(self, computation: Computation) -> DeviceProgram:
        return cached(self._programs, computation, lambda: self._compile(computation))

    def op_table(self, process: Process, state: State, client: ClientInput) -> str:
        report = self.op_report(process, state, client)
        report.check()
        return report.table()

    def op_report(self, process: Process, state: State, client: ClientInput) -> op_report.OpReport:
        """With a newly imported graph: TensorFlow does not report an old one again."""
        compiled = self.program(of_algorithm(process).next)
        program = compiled.program
        shared = compiled.broadcast(device_program.flat_state(state, program))
        arguments = self.client_arguments(program.data_tree)
        slots = self.client_slots(program.work)
        try:
            nodes = op_report.nodes_of_one_step(slots, arguments, shared, client)
        finally:
            slots.close()
        return op_report.OpReport(self.placement.devices, self.mixed_precision, nodes)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for _, program in self._programs.values():
            program.close()
        for _, work in self._works.values():
            work.close()
        self._programs.clear()
        self._works.clear()
        self._graphs.clear()
        self._last.clear()

    def _compile(self, computation: Computation) -> DeviceProgram:
        program = map_reduce.compile_program(computation, self.mixed_precision)
        return DeviceProgram(program, self.placement.server, self.client_slots(program.work))

    def _map(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Iterator[list[Leaf]]:
        work = cached(
            self._works,
            computation,
            lambda: self.client_slots(graph_spec.from_computation(computation)),
        )
        tree = structures.from_type(computation.type_signature.parameter)
        assert isinstance(tree, structures.Struct)
        server, data = tree.children
        with tf.device(self.placement.server):
            shared = [
                leaf.tensor(item)
                for item, leaf in zip(
                    structures.flatten(value, server), structures.leaves(server), strict=True
                )
                if isinstance(leaf, structures.TensorLeaf)
            ]
        return work.run(self.client_arguments(data), shared, True, clients, Seconds())
