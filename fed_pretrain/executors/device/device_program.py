"""A MapReduceProgram in this process: streaming accumulation in cohort order."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from fed_pretrain.executors.device.client_slots import ClientSlots, Seconds
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.executors.graphs import structures
from fed_pretrain.executors.graphs.graph_import import ImportedGraph
from fed_pretrain.executors.graphs.map_reduce import MapReduceProgram
from groundwork.untyped import Leaf, State


class RoundResult(NamedTuple):
    """Flat tensors of the new state and of the output."""

    state: list[State]
    output: list[Leaf]
    client_states: dict[str, State]


class ServerProgram:
    """The server's pieces: all of a round but the clients' work."""

    def __init__(self, program: MapReduceProgram, device: str) -> None:
        self._program = program
        self._device = device
        self._prepare = ImportedGraph(program.prepare)
        self._zero = ImportedGraph(program.zero)
        self._accumulate = ImportedGraph(program.accumulate)
        self._merge: ImportedGraph | None = None
        self._report = ImportedGraph(program.report)
        self._modulus = ImportedGraph(program.modulus)
        self._update = ImportedGraph(program.update)

    def broadcast(self, state: Sequence[State]) -> list[tf.Tensor]:
        with tf.device(self._device):
            return self._prepare(state)

    def start(self) -> "Total":
        with tf.device(self._device):
            zeros = [tf.zeros(leaf.shape, leaf.dtype) for leaf in self._program.secure_leaves]
            return Total(self._zero([]), zeros)

    def add(self, total: "Total", result: Sequence[tf.Tensor]) -> "Total":
        """Secure sums are simulated by sums: masks change nothing in what the server sees."""
        split = self._program.update_leaves
        with tf.device(self._device):
            plain = self._accumulate([*total.plain, *result[:split]])
            secure = [a + b for a, b in zip(total.secure, result[split:], strict=True)]
        return Total(plain, secure)

    def merged(self, totals: Sequence["Total"]) -> "Total":
        """Totals of parts of the cohort, in their order, as one."""
        total, *others = totals
        if others and self._merge is None:
            self._merge = ImportedGraph(self._program.merge)
        for other in others:
            assert self._merge is not None
            with tf.device(self._device):
                plain = self._merge([*total.plain, *other.plain])
                secure = [a + b for a, b in zip(total.secure, other.secure, strict=True)]
            total = Total(plain, secure)
        return total

    def finish(self, state: Sequence[State], total: "Total") -> tuple[list[Leaf], list[Leaf]]:
        with tf.device(self._device):
            secure = list(total.secure)
            if self._program.modular_leaves:
                modulus = self._modulus([])
                start = len(secure) - self._program.modular_leaves
                if len(modulus) == 1:
                    modulus = modulus * self._program.modular_leaves
                secure[start:] = [
                    tf.math.floormod(value, tf.cast(m, value.dtype))
                    for value, m in zip(secure[start:], modulus, strict=True)
                ]
            flat = self._update([*state, *self._report(total.plain), *secure])
        split = self._program.state_leaves
        return flat[:split], flat[split:]


class Total(NamedTuple):
    plain: list[tf.Tensor]
    secure: list[tf.Tensor]


class DeviceProgram:
    def __init__(
        self,
        program: MapReduceProgram,
        server_device: str,
        work: ClientSlots,
    ) -> None:
        self.program = program
        self._server = ServerProgram(program, server_device)
        self._work = work

    def run(
        self,
        state: Sequence[State],
        arguments: Callable[[ClientInput], list[Leaf]],
        clients: Sequence[ClientInput],
        seconds: Seconds,
    ) -> RoundResult:
        began = time.perf_counter()
        broadcast = self._server.broadcast(state)
        seconds.add("server", began)
        total = self._server.start()
        states: dict[str, State] = {}
        results = self._work.run(arguments, broadcast, False, clients, seconds)
        for client, result in zip(clients, results, strict=True):
            began = time.perf_counter()
            total = self._server.add(total, result)
            if self.program.tap is not None:
                states[client.client_id] = self.program.tap.value(result)
            seconds.add("accumulate", began)
        began = time.perf_counter()
        new_state, output = self._server.finish(state, total)
        outcome = RoundResult(new_state, output, states)
        seconds.add("server", began)
        return outcome

    def broadcast(self, state: Sequence[State]) -> list[tf.Tensor]:
        """What the server sends to each client."""
        return self._server.broadcast(state)

    def close(self) -> None:
        self._work.close()


def flat_state(
    state: State, program: MapReduceProgram, known: Sequence[tuple[Leaf, tf.Tensor]] = ()
) -> list[Leaf]:
    """The state's leaves as tensors, so that parts of a round do not convert them again.

    known: arrays, and the tensors that they were: these are not copied.
    """
    tree = program.prepare.input_tree
    tensors = {id(array): tensor for array, tensor in known}
    return [
        leaf.tensor(tensors.get(id(value), value))
        if isinstance(leaf, structures.TensorLeaf)
        else value
        for value, leaf in zip(
            structures.flatten(state, tree), structures.leaves(tree), strict=True
        )
    ]
