"""The only file that imports what TensorFlow does not promise to keep; a test checks each name."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

# The type of a graph's call, which a ConcreteFunction needs.
from tensorflow.core.function.polymorphism import function_type

# The context adds library functions by their definitions and hands out the graphs that ran.
from tensorflow.python.eager import context

# Lowers a compiled function to XLA's HLO, with its variables as trailing inputs.
# Calls a graph as it is: tf.function and wrap_function would add control dependencies.
from tensorflow.python.eager.polymorphic_function import compiler_ir, concrete_function

# Traces without automatic control dependencies, which would order all clients' variables.
# Says which ops have state and what their inputs and outputs are.
from tensorflow.python.framework import func_graph, op_def_registry

# Tells a graph what a variable holds that enters it as an argument.
from tensorflow.python.ops import handle_data_util

from groundwork.untyped import Json, Nested, Proto

Held = tuple[tf.DType, tf.TensorShape]


def op_def(name: str) -> Proto:
    """The definition of an op; None if TensorFlow has no such op."""
    return op_def_registry.get(name)


def define_functions(functions: Sequence[Proto]) -> None:
    """Adds library functions to this process, unless they are already there."""
    here = context.context()
    for function in functions:
        if not here.has_function(function.signature.name):
            here.add_function_def(function)


def function_def(name: str) -> Proto:
    """The definition of a library function of this process."""
    return context.context().get_function_def(name)


def traced(
    name: str,
    body: Callable[..., Nested],
    specs: Sequence[tf.TensorSpec],
    held: Sequence[Held | None],
) -> Nested:
    """A FuncGraph of `body`; arguments that are variables know what they hold."""

    def build(*arguments: tf.Tensor) -> Nested:
        for argument, holds in zip(arguments, held, strict=True):
            if holds is not None:
                data = handle_data_util.create_handle_data(holds[1], holds[0])
                handle_data_util.set_handle_data(argument, data)
        return body(*arguments)

    return func_graph.func_graph_from_py_func(
        name, build, specs, {}, add_control_dependencies=False
    )


def callable_graph(graph: Proto, attributes: Mapping[str, Json]) -> Nested:
    """A FuncGraph as a function, to be called by `call`."""
    signature = function_type.from_structured_signature(
        graph.structured_input_signature,
        graph.structured_outputs,
        graph.function_captures.capture_types,
    )
    return concrete_function.ConcreteFunction.from_func_graph(graph, signature, dict(attributes))


def call(function: Any, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """The flat results, without the checks of structure that a ConcreteFunction makes by itself."""
    results = function._call_flat(list(tensors), function.captured_inputs)
    return list(results) if isinstance(results, (list, tuple)) else []


def lowered(function: Nested) -> bytes:
    """The HLO of a concrete function that was traced with `jit_compile`, as XLA serialises it."""
    get = compiler_ir.from_concrete_function(function)
    hlo: bytes = get(stage="hlo_serialized", device_name="/device:CPU:0")
    return hlo


@contextlib.contextmanager
def collected_graphs() -> Iterator[Callable[[], Nested]]:
    """Within this block TensorFlow keeps the graphs that it makes; the call yielded returns them.

    TensorFlow reports a graph once, when it first meets it.
    """
    here = context.context()
    here.enable_graph_collection()
    try:
        here.export_run_metadata()  # drops what others left
        yield lambda: here.export_run_metadata().partition_graphs
    finally:
        here.disable_graph_collection()
