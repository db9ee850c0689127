"""One client's step on each device before a run: which device ran which op, and in what precision.

Read from the graphs that TensorFlow made for the devices after placement and optimisation.
"""

import collections
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from fed_pretrain.executors.border import tensorflow_private
from fed_pretrain.executors.device.client_slots import ClientSlots, Seconds
from fed_pretrain.executors.executor import ClientInput, Payload
from groundwork.errors import UserError
from groundwork.untyped import Leaf, Nested, Proto

# Parts of op names; those of the first three compute what a model costs.
CLASSES = {
    "convolution": ("Conv",),
    "matrix product": ("MatMul", "Einsum"),
    "recurrent": ("RNN", "LSTM", "GRU"),
    "pooling": ("Pool",),
    "embedding, gather": ("Gather", "Scatter"),
    "weights": ("VariableOp", "ResourceApply", "VarHandle"),
}
COMPUTING = tuple(CLASSES)[:3]
REST = "the rest"


class Ran(NamedTuple):
    """A class of ops on a device; `precision` is given for those that compute."""

    op_class: str
    precision: str
    device: str


@dataclasses.dataclass(frozen=True)
class OpReport:
    """`nodes` counts the nodes of each class that a device ran."""

    asked: tuple[str, ...]
    mixed_precision: bool
    nodes: dict[Ran, int]

    def table(self) -> str:
        lines = [f"{'one step of client work':26}{'precision':11}{'device':9}nodes"]
        order = [*CLASSES, REST]
        for ran in sorted(self.nodes, key=lambda ran: (order.index(ran.op_class), ran)):
            cells = f"{ran.op_class:24}{ran.precision:11}{ran.device:9}"
            lines.append(f"  {cells}{self.nodes[ran]}")
        return "\n".join(lines)

    def check(self) -> None:
        """Fails unless each device asked for computed, in the precision asked for."""
        computing = [ran for ran in self.nodes if ran.op_class in COMPUTING]
        for asked in self.asked:
            device = asked.removeprefix("/")
            if not any(ran.device == device for ran in computing):
                places = ", ".join(sorted({ran.device for ran in computing})) or "no device"
                raise UserError(
                    f"--devices: nothing that computes ran on {device}; the client work ran on "
                    f"{places} (--soft_placement is on, or the model names a device)"
                )
        if self.mixed_precision and not any(ran.precision == "bfloat16" for ran in computing):
            raise UserError("--mixed_precision: nothing of this model ran in half precision")


def nodes_of_one_step(
    slots: ClientSlots,
    arguments: Callable[[ClientInput], list[Leaf]],
    shared: Sequence[Leaf],
    client: ClientInput,
) -> dict[Ran, int]:
    """A step of `client` in every slot; TensorFlow reports only graphs that have not run before."""
    step = dataclasses.replace(client, read=lambda: one_step(client.read()))
    clients = list(itertools.repeat(step, len(slots)))
    with tensorflow_private.collected_graphs() as graphs:
        collections.deque(slots.run(arguments, shared, False, clients, Seconds()), maxlen=0)
        return _count(graphs())


def one_step(payload: Payload) -> Payload:
    """The payload with all but its first step emptied: of the same shape, so compiled once."""
    if "order" not in payload:
        return payload
    order = np.array(payload["order"])
    order[1:] = -1
    return {**payload, "order": order}


def _count(graphs: Proto) -> dict[Ran, int]:
    """Each node once: TensorFlow reports a graph whenever a thread instantiates it."""
    seen = {
        (node.name, _classified(node, device))
        for graph in graphs
        for node, device in _ran(graph.node)
    }
    return dict(collections.Counter(ran for _, ran in seen))


def _ran(nodes: Proto) -> Iterator[tuple[Nested, str]]:
    """Nodes and the devices they ran on."""
    for node in nodes:
        compiled = "_XlaMustCompile" in node.attr and node.attr["_XlaMustCompile"].b
        if compiled:  # XLA compiles all of a function for a device, or fails
            for inner in _inside(node.attr["f"].func.name):
                yield inner, node.device
        else:
            yield node, node.device


def _classified(node: Proto, device: str) -> Ran:
    found = (name for name, parts in CLASSES.items() if any(part in node.op for part in parts))
    op_class = next(found, REST)
    precision = ""
    if op_class in COMPUTING and "T" in node.attr:
        precision = tf.as_dtype(node.attr["T"].type).name
    spec = tf.DeviceSpec.from_string(device)
    place = f"{spec.device_type}:{spec.device_index}" if spec.device_type else "host"
    return Ran(op_class, precision, place)


def _inside(function: str) -> Iterator[Nested]:
    """The nodes of a library function and of what it calls."""
    for node in tensorflow_private.function_def(function).node_def:
        yield node
        for attribute in node.attr.values():
            for called in (attribute.func, *attribute.list.func):
                if called.name:
                    yield from _inside(called.name)
