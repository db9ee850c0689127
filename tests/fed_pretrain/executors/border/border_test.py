"""Every private name is still there, is imported in one room only, and does what we rely on."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

ROOT = Path(__file__).parents[4]
BORDER = "fed_pretrain/executors/border"
ROOMS = ("groundwork", "data_prep", "fed_pretrain", "pipelines", "benchmarks", "tools")
PUBLIC = ("tensorflow.core.protobuf", "tensorflow.core.example", "tensorflow.core.framework")

FUNCTION_TYPE = "tensorflow.core.function.polymorphism.function_type"
CONTEXT = "tensorflow.python.eager.context"
COMPILER_IR = "tensorflow.python.eager.polymorphic_function.compiler_ir"
CONCRETE = "tensorflow.python.eager.polymorphic_function.concrete_function"
TFF = "tensorflow_federated.python.core"
# Each private module, and what we take from it.
NAMES = {
    FUNCTION_TYPE: ["from_structured_signature"],
    CONTEXT: [
        f"context.{name}"
        for name in (
            "has_function",
            "add_function_def",
            "get_function_def",
            "enable_graph_collection",
            "disable_graph_collection",
            "export_run_metadata",
        )
    ],
    COMPILER_IR: ["from_concrete_function"],
    CONCRETE: ["ConcreteFunction.from_func_graph", "ConcreteFunction._call_flat"],
    "tensorflow.python.framework.func_graph": ["func_graph_from_py_func"],
    "tensorflow.python.framework.op_def_registry": ["get"],
    "tensorflow.python.ops.handle_data_util": ["create_handle_data", "set_handle_data"],
    f"{TFF}.backends.mapreduce.form_utils": ["get_state_initialization_computation"],
    f"{TFF}.backends.native.compiler": ["desugar_and_transform_to_native"],
    f"{TFF}.environments.tensorflow_frontend.tensorflow_computation": [
        "transform_args",
        "transform_result",
    ],
    f"{TFF}.impl.compiler.building_blocks": ["CompiledComputation.proto"],
    f"{TFF}.impl.compiler.transformation_utils": ["transform_postorder"],
    f"{TFF}.impl.computation.function_utils": ["pack_args"],
    f"{TFF}.impl.executor_stacks.python_executor_stacks": ["ResourceManagingExecutorFactory"],
    f"{TFF}.impl.executors.executors_errors": ["RetryableError"],
    f"{TFF}.impl.executors.remote_executor": ["RemoteExecutor.set_cardinalities"],
    f"{TFF}.impl.executors.remote_executor_grpc_stub": ["RemoteExecutorGrpcStub"],
    f"{TFF}.impl.types.type_conversions": ["type_to_py_container"],
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in NAMES.items() for name in names]
)
def test_the_private_name_is_still_there(module: str, name: str) -> None:
    versions = f"TensorFlow {tf.__version__} with TFF {tff.__version__}"
    try:
        value = importlib.import_module(module)
    except ImportError as error:
        pytest.fail(f"{versions} has no {module}, which {BORDER} needs: {error}")
    if module == CONTEXT:
        value = type(value.context()) if name.startswith("context.") else value
        name = name.removeprefix("context.")
    for part in name.split("."):
        assert hasattr(value, part), f"{versions}: {module} has no {name}, which {BORDER} needs"
        value = getattr(value, part)


def test_the_context_still_wraps_its_invoke_in_a_retry() -> None:
    versions = f"TensorFlow {tf.__version__} with TFF {tff.__version__}"
    invoke = tff.framework.AsyncExecutionContext.invoke
    assert hasattr(invoke, "__wrapped__"), f"{versions}: invoke has no __wrapped__"


def test_private_modules_are_imported_at_the_border_only() -> None:
    found: dict[str, set[str]] = {}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for module in _private_imports(path):
                found.setdefault(module, set()).add(path.parent.relative_to(ROOT).as_posix())
    elsewhere = {module: places - {BORDER} for module, places in found.items() if places - {BORDER}}
    assert elsewhere == {}
    assert set(found) == set(NAMES), "the table of this test names other modules"


def _private_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            private = name.startswith(
                ("tensorflow.python.", "tensorflow.core.", "tensorflow_federated.python.")
            )
            if private and not name.startswith(PUBLIC):
                yield name


def test_an_op_says_what_it_takes_and_an_unknown_one_is_none() -> None:
    from fed_pretrain.executors.border import tensorflow_private

    definition = tensorflow_private.op_def("MatMul")
    assert [argument.name for argument in definition.input_arg] == ["a", "b"]
    assert not definition.is_stateful
    assert tensorflow_private.op_def("VarHandleOp").is_stateful
    assert tensorflow_private.op_def("NoSuchOp") is None


def test_a_traced_graph_reads_the_variable_that_enters_it() -> None:
    from fed_pretrain.executors.border import tensorflow_private

    specs = [tf.TensorSpec([], tf.resource), tf.TensorSpec([2], tf.float32)]
    held = [(tf.float32, tf.TensorShape([2])), None]

    def body(handle: tf.Tensor, value: tf.Tensor) -> list[tf.Tensor]:
        read = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)
        assert read.shape == [2]
        return [read + value]

    graph = tensorflow_private.traced("sum", body, specs, held)
    function = tensorflow_private.callable_graph(graph, {})
    variable = tf.Variable([1.0, 2.0])
    (found,) = tensorflow_private.call(function, [variable.handle, tf.constant([10.0, 20.0])])
    assert found.numpy().tolist() == [11.0, 22.0]


def test_a_function_defined_twice_is_there_once_and_its_graph_is_reported() -> None:
    from fed_pretrain.executors.border import tensorflow_private

    @tf.function
    def product(x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, x)

    definition = product.get_concrete_function(tf.TensorSpec([2, 2])).function_def
    renamed = type(definition).FromString(definition.SerializeToString())
    renamed.signature.name = "a_product_for_the_border_test"
    for _ in range(2):
        tensorflow_private.define_functions([renamed])
    there = tensorflow_private.function_def("a_product_for_the_border_test")
    assert "MatMul" in [node.op for node in there.node_def]
    with tensorflow_private.collected_graphs() as graphs:
        product(tf.ones([2, 2]))
        ops = [node.op for graph in graphs() for node in graph.node]
    assert any("MatMul" in op for op in ops)


def test_the_first_state_and_the_arguments_of_a_computation() -> None:
    from fed_pretrain.executors.border import tff_private

    @tff.tensorflow.computation
    def seven() -> tf.Tensor:
        return tf.constant(7.0)

    @tff.federated_computation
    def initialize():
        return tff.federated_eval(seven, tff.SERVER)

    local = tff_private.initial_state(initialize)
    assert local.type_signature.result == tff.types.TensorType(np.float32)

    @tff.tensorflow.computation(np.float32, np.int32)
    def pair(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        return first + tf.cast(second, tf.float32)

    packed = tff_private.packed_arguments(pair, (np.float32(1), np.int32(2)))
    assert list(packed) == [1.0, 2]


def test_a_value_comes_back_in_the_containers_of_its_type() -> None:
    from fed_pretrain.executors.border import tff_private

    kind = tff.types.StructWithPythonType([("a", np.float32)], dict)
    assert tff_private.to_python(tff.structure.Struct([("a", 1.0)]), kind) == {"a": 1.0}


def test_only_the_computations_that_change_are_replaced() -> None:
    from fed_pretrain.executors.border import tff_private

    @tff.tensorflow.computation(np.float32)
    def same(x: tf.Tensor) -> tf.Tensor:
        return tf.identity(x)

    block = same.to_building_block()
    seen: list[object] = []
    assert tff_private.with_computations(block, seen.append) is block
    assert len(seen) == 1
    other = tff_private.with_computations(block, lambda proto: proto)
    assert other is not block
    assert other.type_signature == block.type_signature


def test_a_lost_worker_is_told_from_another_error() -> None:
    from tensorflow_federated.python.core.impl.executors import executors_errors

    from fed_pretrain.executors.border import tff_private

    assert tff_private.is_lost(executors_errors.RetryableError("gone"))
    assert not tff_private.is_lost(ValueError("gone"))
