"""What a device does for one client, lowered once for each shape of its data.

    carry', summed, kept = step(carry, own, shared)

carry: what an aggregator has accumulated, from client to client.
own: the client's data, and its state where it has one. shared: what the server broadcasts.
summed: results that the device adds up. kept: results that come back for each client.
"""

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from fed_pretrain.executors.border import tensorflow_private
from fed_pretrain.executors.graphs import graph_spec, structures
from fed_pretrain.executors.graphs.graph_import import ImportedGraph
from fed_pretrain.executors.graphs.graph_spec import GraphSpec
from fed_pretrain.executors.graphs.map_reduce import MapReduceProgram
from groundwork.errors import UserError, words_of
from groundwork.untyped import Computation

Arrays = Sequence[np.ndarray]
Forms = tuple[tuple[str, tuple[int, ...]], ...]


@dataclasses.dataclass(frozen=True)
class Counts:
    """How many inputs and outputs of a lowered step are of which kind."""

    carry: int
    own: int
    shared: int
    summed: int
    kept: int


@dataclasses.dataclass(frozen=True)
class LoweredStep:
    """`hlo` takes (carry, own, shared, variables) and gives (carry, summed, kept, variables)."""

    name: str
    hlo: bytes
    counts: Counts


class ClientStep:
    """`accumulate` takes the first `update_leaves` of the work's results; the rest is summed.

    Without it all results are summed, or all are kept. `tap` are the positions of results kept
    beside the sums.
    """

    def __init__(
        self,
        work: GraphSpec,
        shared_first: bool,
        accumulate: GraphSpec | None = None,
        update_leaves: int = 0,
        tap: range = range(0),
        summed: bool = True,
    ) -> None:
        self.work = work
        self._shared_first = shared_first
        self._accumulate = accumulate
        self._update_leaves = update_leaves
        self._tap = tap
        self._summed = summed
        self._lowered: dict[Forms, LoweredStep] = {}
        shape = (shared_first, update_leaves, tap, summed)
        added = accumulate.digest if accumulate is not None else ""
        self._digest = hashlib.sha256(f"{work.digest} {added} {shape}".encode()).hexdigest()

    @classmethod
    def of_round(cls, program: MapReduceProgram) -> "ClientStep":
        tap = range(0) if program.tap is None else range(program.tap.start, program.tap.stop)
        return cls(program.work, False, program.accumulate, program.update_leaves, tap)

    @classmethod
    def of_computation(cls, computation: Computation, summed: bool) -> "ClientStep":
        """Of a `tff.tensorflow.computation` of (server value, client data)."""
        return cls(graph_spec.from_computation(computation), True, summed=summed)

    def lowered(self, carry: Arrays, own: Arrays, shared: Arrays) -> LoweredStep:
        """For arrays of these shapes."""
        forms = tuple((a.dtype.name, a.shape) for a in (*carry, *own, *shared))
        if forms not in self._lowered:
            self._lowered[forms] = self._lower(carry, own, shared, forms)
        return self._lowered[forms]

    def _lower(self, carry: Arrays, own: Arrays, shared: Arrays, forms: Forms) -> LoweredStep:
        work = ImportedGraph(self.work, for_xla=True)
        if work.iterates_data:
            raise UserError(
                "--executor=pjrt: this client work iterates a dataset, which XLA cannot compile; it"
                " must take the one element of its data (data.get_single_element())"
            )
        accumulate = None if self._accumulate is None else ImportedGraph(self._accumulate)
        variables = [tf.Variable(tf.zeros(shape, dtype)) for dtype, shape in work.held]
        counted: list[Counts] = []

        @tf.function(jit_compile=True, autograph=False)
        def step(*tensors: tf.Tensor) -> list[tf.Tensor]:
            carried, rest = tensors[: len(carry)], tensors[len(carry) :]
            mine, common = rest[: len(own)], rest[len(own) :]
            flat = [*common, *mine] if self._shared_first else [*mine, *common]
            result = work.inline(flat, [v.handle for v in variables])
            total, summed, kept = self._parted(accumulate, carried, result)
            counts = Counts(len(total), len(own), len(shared), len(summed), len(kept))
            counted.append(counts)
            return [tf.identity(t) for t in (*total, *summed, *kept)]

        try:
            concrete = step.get_concrete_function(
                *(tf.TensorSpec(shape, dtype) for dtype, shape in forms)
            )
            hlo = tensorflow_private.lowered(concrete)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise UserError(
                f"--executor=pjrt: XLA cannot compile this client work (--executor=device runs it):"
                f" {words_of(error)}"
            ) from error
        name = hashlib.sha256(f"{self._digest} {forms}".encode()).hexdigest()
        return LoweredStep(name, hlo, counted[-1])

    def _parted(
        self,
        accumulate: ImportedGraph | None,
        carried: Sequence[tf.Tensor],
        result: list[tf.Tensor],
    ) -> tuple[list[tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
        if accumulate is None:
            return ([], result, []) if self._summed else ([], [], result)
        split = self._update_leaves
        total = accumulate.inline([*carried, *result[:split]])
        return total, result[split:], [result[i] for i in self._tap]


def own_arrays(tree: structures.Tree, flat: Sequence[structures.OneElement]) -> list[np.ndarray]:
    """A client's arguments, one element a sequence, in the order in which they enter the work."""
    arrays: list[np.ndarray] = []
    for leaf, value in zip(structures.leaves(tree), flat, strict=True):
        assert isinstance(leaf, structures.SequenceLeaf)
        arrays += structures.flatten_element(
            value.element, leaf.element, structures.TensorLeaf.array
        )
    return arrays
