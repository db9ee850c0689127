"""One client graph run for many clients at once, each with its own variables, in cohort order."""

import collections
import concurrent.futures
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import tensorflow as tf

from fed_pretrain.clients import payload
from fed_pretrain.executors.device.placement import Placement
from fed_pretrain.executors.executor import ClientInput, Payload
from fed_pretrain.executors.graphs import graph_import, structures
from fed_pretrain.executors.graphs.graph_import import ImportedGraph
from fed_pretrain.executors.graphs.graph_spec import GraphSpec
from groundwork.untyped import Leaf, Nested


class Seconds:
    """Time by part, added up over threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.parts: dict[str, float] = {}

    def add(self, part: str, since: float) -> None:
        spent = time.perf_counter() - since
        with self._lock:
            self.parts[part] = self.parts.get(part, 0.0) + spent


class _Slot(NamedTuple):
    device: str
    graph: ImportedGraph
    variables: list[tf.Tensor]


class ClientSlots:
    """The graph in as many slots as clients may be in flight."""

    def __init__(
        self,
        spec: GraphSpec,
        placement: Placement,
        pool: concurrent.futures.Executor,
        jit: bool = False,
    ) -> None:
        self._placement = placement
        self._pool = pool
        self._all: list[_Slot] = []
        self._free: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        graph = ImportedGraph(spec, jit)
        for number in range(placement.clients_in_flight):
            device = placement.devices[number % len(placement.devices)]
            if number and not graph.shareable:
                graph = ImportedGraph(spec, jit)
            with tf.device(device):
                slot = _Slot(device, graph, graph.variables())
            self._all.append(slot)
            self._free.put(slot)

    def __len__(self) -> int:
        return len(self._all)

    def run(
        self,
        arguments: Callable[[ClientInput], list[Leaf]],
        shared: Sequence[Leaf],
        shared_first: bool,
        clients: Sequence[ClientInput],
        seconds: Seconds,
    ) -> Iterator[list[tf.Tensor]]:
        """Yields the flat results; `shared` enters beside each client's own arguments."""
        on_device = {device: self._copy(shared, device) for device in self._placement.devices}

        def one(client: ClientInput) -> list[tf.Tensor]:
            began = time.perf_counter()
            own = arguments(client)
            seconds.add("read", began)
            slot = self._free.get()
            began = time.perf_counter()
            try:
                with tf.device(slot.device):
                    common = on_device[slot.device]
                    flat = [*common, *own] if shared_first else [*own, *common]
                    return slot.graph(flat, slot.variables)
            finally:
                self._free.put(slot)
                seconds.add("work", began)

        window = 2 * self._placement.clients_in_flight
        return ordered(self._pool, one, clients, window)

    def close(self) -> None:
        for slot in self._all:
            graph_import.destroy(slot.variables)
        self._all.clear()

    @staticmethod
    def _copy(values: Sequence[Leaf], device: str) -> list[Leaf]:
        with tf.device(device):
            return [tf.identity(v) if _is_number(v) else v for v in values]


def _is_number(value: Nested) -> bool:
    return isinstance(value, tf.Tensor) and (value.dtype.is_floating or value.dtype.is_integer)


def client_arguments(
    tree: structures.Tree, pad: bool = False
) -> Callable[[ClientInput], list[Leaf]]:
    """How a client's payload, and its state where it has one, fill the graph's data argument.

    `pad` brings payloads to few shapes, for graphs that are compiled once a shape.
    """

    def read(client: ClientInput) -> Payload:
        return payload.padded(client.read()) if pad else client.read()

    if isinstance(tree, structures.SequenceLeaf):
        return lambda client: [structures.OneElement(read(client))]
    if isinstance(tree, structures.Struct) and set(tree.names) == {"data", "state"}:
        names = tree.names

        def both(client: ClientInput) -> list[Leaf]:
            parts = {"data": lambda: read(client), "state": lambda: client.state}
            return [structures.OneElement(parts[str(name)]()) for name in names]

        return both
    raise TypeError(f"client data must be a sequence, or a struct of data and state: {tree}")


Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered(
    pool: concurrent.futures.Executor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    window: int,
) -> Iterator[Result]:
    """Yields `work(item)` in the order of `items`; at most `window` are begun and not yielded.

    A result waits only for those before it, so memory is O(window) and the order of what the
    caller does with the results never depends on which thread was faster.
    """
    begun: collections.deque[concurrent.futures.Future[Result]] = collections.deque()
    try:
        for item in items:
            if len(begun) >= window:
                yield begun.popleft().result()
            begun.append(pool.submit(work, item))
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()
        concurrent.futures.wait(begun)
