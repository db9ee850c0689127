"""What a Beam worker does for a round; nothing here knows TFF or Beam.

Values travel as NumPy arrays. Every function is pure, so that a bundle done twice changes nothing.
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from fed_pretrain.executors.device.client_slots import client_arguments
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.executors.graphs import structures
from fed_pretrain.executors.graphs.graph_import import ImportedGraph
from fed_pretrain.executors.graphs.graph_spec import GraphSpec
from fed_pretrain.executors.graphs.map_reduce import MapReduceProgram
from groundwork.untyped import Leaf

_imported: dict[str, ImportedGraph] = {}
_lock = threading.Lock()


def imported(spec: GraphSpec) -> ImportedGraph:
    """One import a process and graph content, whatever bundle or round asks for it."""
    with _lock:
        if spec.digest not in _imported:
            _imported[spec.digest] = ImportedGraph(spec)
        return _imported[spec.digest]


@dataclasses.dataclass(frozen=True)
class Worked:
    """A client's flat result, or the total of some; `seconds` is the work in it."""

    values: list[Leaf]
    seconds: float


@dataclasses.dataclass(frozen=True)
class ClientTask:
    """Runs a client graph; `shared_first` says where the broadcast enters."""

    spec: GraphSpec
    data_index: int

    def __call__(self, client: ClientInput, shared: Sequence[Leaf]) -> Worked:
        began = time.perf_counter()
        assert isinstance(self.spec.input_tree, structures.Struct)
        own = client_arguments(self.spec.input_tree.children[self.data_index])(client)
        flat = [*own, *shared] if self.data_index == 0 else [*shared, *own]
        graph = imported(self.spec)
        with tf.device("/CPU:0"):
            values = structures.all_to_host(graph(flat))
        return Worked(values, time.perf_counter() - began)


@dataclasses.dataclass(frozen=True)
class Totals:
    """Accumulates updates, then merges totals, always in the order given."""

    program: MapReduceProgram

    def accumulate(self, updates: Iterable[Worked]) -> Worked:
        program, split = self.program, self.program.update_leaves
        plain = imported(program.zero)([])
        secure = [tf.zeros(leaf.shape, leaf.dtype) for leaf in program.secure_leaves]
        seconds = 0.0
        for update in updates:
            plain = imported(program.accumulate)([*plain, *update.values[:split]])
            secure = [a + b for a, b in zip(secure, update.values[split:], strict=True)]
            seconds += update.seconds
        return Worked(structures.all_to_host([*plain, *secure]), seconds)

    def merge(self, totals: Iterable[Worked]) -> Worked:
        first, *others = totals
        if not others:
            return first
        split = len(self.program.zero.outputs)
        plain, secure, seconds = first.values[:split], first.values[split:], first.seconds
        for other in others:
            plain = imported(self.program.merge)([*plain, *other.values[:split]])
            secure = [a + b for a, b in zip(secure, other.values[split:], strict=True)]
            seconds += other.seconds
        return Worked(structures.all_to_host([*plain, *secure]), seconds)


@dataclasses.dataclass(frozen=True)
class Sums:
    """The same for plain sums of a mapped computation."""

    def accumulate(self, updates: Iterable[Worked]) -> Worked:
        return self.merge(updates)

    def merge(self, totals: Iterable[Worked]) -> Worked:
        first, *others = totals
        values, seconds = first.values, first.seconds
        for other in others:
            values = [a + b for a, b in zip(values, other.values, strict=True)]
            seconds += other.seconds
        return Worked(values, seconds)


Reduce = Callable[[Iterable[Worked]], Worked]


def in_order(reduce: Reduce, keyed: Iterable[tuple[int, Worked]]) -> Worked:
    return reduce([worked for _, worked in sorted(keyed, key=lambda pair: pair[0])])
