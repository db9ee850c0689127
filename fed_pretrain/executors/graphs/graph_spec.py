"""A TensorFlow computation of TFF as plain bytes: what a worker needs to run it, and no TFF."""

import dataclasses
import hashlib

from fed_pretrain.executors.graphs import structures
from groundwork.untyped import Computation, Proto


@dataclasses.dataclass(frozen=True)
class GraphSpec:
    """Names are those of the graph; inputs and outputs are flat in the order of their trees."""

    graph_def: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    initialize_op: str
    input_tree: structures.Tree
    output_tree: structures.Tree

    @property
    def digest(self) -> str:
        state = hashlib.sha256(self.graph_def)
        state.update(repr((self.inputs, self.outputs, self.initialize_op)).encode())
        return state.hexdigest()


EMPTY = structures.Struct((), ())


def from_computation(computation: Computation) -> GraphSpec:
    """The graph and bindings of a `tff.tensorflow.computation`."""
    import tensorflow_federated as tff

    proto = tff.framework.serialize_computation(computation)
    if proto.WhichOneof("computation") != "tensorflow":
        raise TypeError(f"not a TensorFlow computation: {computation.type_signature}")
    graph = proto.tensorflow
    signature = computation.type_signature
    has_parameter = signature.parameter is not None
    return GraphSpec(
        graph_def=graph.graph_def.value,
        inputs=tuple(_names(graph.parameter)) if has_parameter else (),
        outputs=tuple(_names(graph.result)),
        initialize_op=graph.initialize_op,
        input_tree=structures.from_type(signature.parameter) if has_parameter else EMPTY,
        output_tree=structures.from_type(signature.result),
    )


def _names(binding: Proto) -> list[str]:
    kind = binding.WhichOneof("binding")
    if kind == "tensor":
        return [binding.tensor.tensor_name]
    if kind == "sequence":
        return [binding.sequence.variant_tensor_name]
    return [name for element in binding.struct.element for name in _names(element)]
