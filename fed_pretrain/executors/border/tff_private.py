"""The only file that imports what TFF does not promise to keep; a test checks each name."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import tensorflow_federated as tff

# A round without a cohort: only the initial state.
from tensorflow_federated.python.core.backends.mapreduce import form_utils

# What the native context compiles computations with before they go to a worker.
from tensorflow_federated.python.core.backends.native import compiler

# How that context turns arguments into values of TFF and results back.
from tensorflow_federated.python.core.environments.tensorflow_frontend import (
    tensorflow_computation,
)

# The compiled parts of a computation, and the walk that replaces them.
from tensorflow_federated.python.core.impl.compiler import building_blocks, transformation_utils

# The arguments of a call as the one value that contexts take.
from tensorflow_federated.python.core.impl.computation import function_utils

# A stack over one worker: TFF's public contexts start a worker that is not ours to end.
from tensorflow_federated.python.core.impl.executor_stacks import python_executor_stacks

# The error that says a worker is gone, and the executor that talks to one.
from tensorflow_federated.python.core.impl.executors import (
    executors_errors,
    remote_executor,
    remote_executor_grpc_stub,
)

# Values in the Python containers that a type names.
from tensorflow_federated.python.core.impl.types import type_conversions

from groundwork.untyped import Computation, Leaf, Nested, Proto, TffType


def initial_state(computation: Computation) -> Computation:
    """`( -> state@SERVER)` as a TensorFlow computation `( -> state)`."""
    return form_utils.get_state_initialization_computation(computation)


def to_python(value: Nested, type_spec: TffType) -> Nested:
    """A `tff.structure.Struct` in the containers of its type."""
    return type_conversions.type_to_py_container(value, type_spec)


def packed_arguments(computation: Computation, arguments: Sequence[Leaf]) -> Nested:
    """The arguments of `computation(*arguments)` as one value."""
    return function_utils.pack_args(computation.type_signature.parameter, arguments, {})


def with_computations(block: Proto, changed: Callable[[Proto], Proto]) -> Proto:
    """A building block whose compiled computations are those that `changed` makes of their protos.

    `changed` returns None for a proto that stays as it is.
    """

    def replace(inner: Proto) -> tuple[Nested, bool]:
        if not isinstance(inner, building_blocks.CompiledComputation):
            return inner, False
        proto = changed(inner.proto)
        if proto is None:
            return inner, False
        return building_blocks.CompiledComputation(proto), True

    return transformation_utils.transform_postorder(block, replace)[0]


def worker_context(channel: Any) -> Nested:
    """A context that runs computations on the worker behind a gRPC channel."""
    stub = remote_executor_grpc_stub.RemoteExecutorGrpcStub(channel)

    def stack(cardinalities: dict[Nested, int]) -> Nested:
        cardinalities.setdefault(tff.CLIENTS, 0)
        executor = remote_executor.RemoteExecutor(stub)
        executor.set_cardinalities(cardinalities)
        return executor

    return tff.framework.AsyncExecutionContext(
        executor_fn=python_executor_stacks.ResourceManagingExecutorFactory(stack),
        compiler_fn=compiler.desugar_and_transform_to_native,
        transform_args=tensorflow_computation.transform_args,
        transform_result=tensorflow_computation.transform_result,
    )


def invoke_once(
    context: Any, computation: Computation, argument: Nested
) -> Coroutine[Nested, Nested, Nested]:
    """The context's invoke without its endless retry, which wraps it."""
    return type(context).invoke.__wrapped__(context, computation, argument)


def is_lost(error: Exception) -> bool:
    """Whether the error says that the worker is gone."""
    return isinstance(error, executors_errors.RetryableError)
