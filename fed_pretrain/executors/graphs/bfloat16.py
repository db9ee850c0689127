"""Client work with its matrix products and convolutions in bfloat16 and the rest in float32.

Weights, sums and losses stay float32: what enters and leaves a product is rounded to 8 bits of
mantissa. TensorFlow's own rewriter would take float16 on GPUs, which needs a scaled loss, and
decides by device and model without telling.
"""

import dataclasses

import tensorflow as tf

from fed_pretrain.executors.border import tensorflow_private
from fed_pretrain.executors.graphs.graph_spec import GraphSpec
from groundwork.untyped import Proto

# TensorFlow has bfloat16 kernels of all of them for CPUs and GPUs.
PRODUCTS = (
    "MatMul",
    "BatchMatMulV2",
    "Einsum",
    "Conv2D",
    "Conv2DBackpropInput",
    "Conv2DBackpropFilter",
    "DepthwiseConv2dNative",
    "DepthwiseConv2dNativeBackpropInput",
    "DepthwiseConv2dNativeBackpropFilter",
)


def halved(spec: GraphSpec) -> GraphSpec:
    """The same work with casts around each product."""
    graph = tf.compat.v1.GraphDef.FromString(spec.graph_def)
    _halve(graph.node, in_function=False)
    for function in graph.library.function:
        moved = _halve(function.node_def, in_function=True)
        for node in function.node_def:
            node.input[:] = [moved.get(text, text) for text in node.input]
        # A list: protobuf passes over entries of a map that changes meanwhile.
        for name, source in list(function.ret.items()):
            function.ret[name] = moved.get(source, source)
    return dataclasses.replace(spec, graph_def=graph.SerializeToString())


def _halve(nodes: Proto, in_function: bool) -> dict[str, str]:
    """Rewrites `nodes`; returns what a function's reader of a product must read instead.

    The cast back takes the product's name, which is all that readers in a graph need. In a
    function they also name the output.
    """
    moved = {}
    for node in [node for node in nodes if node.op in PRODUCTS]:
        if node.attr["T"].type != tf.float32.as_datatype_enum:
            continue
        name, output = node.name, tensorflow_private.op_def(node.op).output_arg[0].name
        node.name = f"{name}/half"
        node.attr["T"].type = tf.bfloat16.as_datatype_enum
        for position in _products_inputs(node):
            cast = _cast(nodes, f"{name}/half_{position}", node.input[position], tf.bfloat16)
            cast.device = node.device
            node.input[position] = f"{cast.name}:y:0" if in_function else cast.name
        source = f"{node.name}:{output}:0" if in_function else node.name
        _cast(nodes, name, source, tf.float32).device = node.device
        moved[f"{name}:{output}:0"] = f"{name}:y:0"
    return moved


def _products_inputs(node: Proto) -> list[int]:
    """Which inputs are numbers of the product, and not sizes or control edges."""
    positions: list[int] = []
    first = 0
    for argument in tensorflow_private.op_def(node.op).input_arg:
        count = node.attr[argument.number_attr].i if argument.number_attr else 1
        if argument.type_attr == "T":
            positions += range(first, first + count)
        first += count
    return positions


def _cast(nodes: Proto, name: str, source: str, to: tf.DType) -> Proto:
    origin = tf.float32 if to == tf.bfloat16 else tf.bfloat16
    cast = nodes.add(name=name, op="Cast", input=[source])
    cast.attr["SrcT"].type = origin.as_datatype_enum
    cast.attr["DstT"].type = to.as_datatype_enum
    cast.attr["Truncate"].b = False
    return cast
