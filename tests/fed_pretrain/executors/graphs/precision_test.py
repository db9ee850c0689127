"""XLA and half precision, each against plain float32 kernels, within bounds stated here."""

import collections
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.executors.device import op_report
from fed_pretrain.executors.device.device_executor import DeviceExecutor
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.graphs import bfloat16, graph_spec
from fed_pretrain.executors.graphs.graph_import import ImportedGraph
from fed_pretrain.tasks.objective import keras_loss
from tests.fed_pretrain.executors import digits

JIT_BOUND = 1e-6  # absolute, after a round: XLA sums in another order
HALF_BOUND = 0.05  # of the longest way a weight went in the round: 8 bits of mantissa a product


def dense_model() -> tf.keras.Model:
    layers = tf.keras.layers
    image = tf.keras.Input([8, 8, 1], dtype=tf.uint8)
    x = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    x = layers.Dense(16, activation="relu", name="hidden")(x)
    return tf.keras.Model(image, layers.Dense(10, name="head")(x))


def dense_weights() -> list[np.ndarray]:
    generator = np.random.default_rng(6)
    shapes = [(64, 16), (16,), (16, 10), (10,)]
    return [(0.2 * generator.normal(size=shape)).astype(np.float32) for shape in shapes]


def dense_algorithm() -> Any:
    spec = collections.OrderedDict(x=digits.PAYLOAD["x"], y=digits.PAYLOAD["y"])

    def model_fn() -> Any:
        return tff.learning.models.from_keras_model(
            dense_model(), loss=keras_loss(digits.OBJECTIVE), input_spec=spec, metrics=[]
        )

    config = ResolvedAlgorithm(population=5, clients_per_round=5, alignment="none")
    return compose.build(config, model_fn, digits.PAYLOAD, digits.OBJECTIVE)


MODELS = {
    "dense": (dense_algorithm, dense_weights),
    "conv": (digits.algorithm, digits.start_weights),
}


class Case:
    """One model's first round, by executors of other options."""

    def __init__(self, name: str) -> None:
        make, start = MODELS[name]
        self.algorithm, self.start = make(), start()

    def state(self, executor: DeviceExecutor) -> Any:
        weights = tff.learning.models.ModelWeights(self.start, [])
        return executor.initialize(self.algorithm.process)._replace(global_model_weights=weights)

    def after_a_round(self, executor: DeviceExecutor) -> list[np.ndarray]:
        output = executor.run_round(self.algorithm, self.state(executor), digits.clients(1))
        return [np.asarray(w) for w in output.state.global_model_weights.trainable]


@pytest.fixture(scope="module", params=list(MODELS))
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


@pytest.fixture(scope="module")
def plain(case: Case, device: DeviceExecutor) -> list[np.ndarray]:
    return case.after_a_round(device)


def test_xla_agrees_with_plain_kernels(case, plain):
    with DeviceExecutor(ExecutorOptions(jit=True, clients_in_flight=2)) as compiled:
        found = case.after_a_round(compiled)
    assert digits.difference(plain, case.start) > 1e-3
    assert digits.difference(found, plain) < JIT_BOUND


def test_half_precision_agrees_with_float32_and_really_is_half(case, plain):
    options = ExecutorOptions(mixed_precision=True, clients_in_flight=1)
    with DeviceExecutor(options) as executor:
        found = case.after_a_round(executor)
        state, client = case.state(executor), digits.clients(1)[0]
        looked = executor.op_report(case.algorithm, state, client)
    looked.check()
    precisions = {ran.precision for ran in looked.nodes if ran.op_class in op_report.COMPUTING}
    assert precisions == {"bfloat16"}
    moved = digits.difference(plain, case.start)
    assert 0 < digits.difference(found, plain) < HALF_BOUND * moved
    assert all(weight.dtype == np.float32 for weight in found)


def test_products_in_graphs_and_functions_are_rounded_as_numpy_would():
    """Of bfloat16 operands with 8 bits; products of few such numbers are exact in float32."""

    @tff.tensorflow.computation((np.float32, (3, 3)), (np.float32, (3, 3)))
    def product(a: Any, b: Any) -> Any:
        inside = tf.function(lambda a, b: tf.matmul(a, b, transpose_b=True))
        return tf.matmul(a, b), inside(a, b), tf.einsum("ij,jk->ik", a, b)

    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 3, 3)).astype(np.float32)
    spec = bfloat16.halved(graph_spec.from_computation(product))
    direct, nested, einsum = (t.numpy() for t in ImportedGraph(spec)([a, b]))
    half_a, half_b = (_bfloat16(m).astype(np.float64) for m in (a, b))
    for found, exact in ((direct, half_a @ half_b), (nested, half_a @ half_b.T)):
        np.testing.assert_allclose(found, exact, rtol=2**-8, atol=2**-8)
        assert np.array_equal(found, _bfloat16(found))
    np.testing.assert_allclose(einsum, direct, rtol=2**-8, atol=2**-8)
    alone = ImportedGraph(spec)([a, np.eye(3, dtype=np.float32)])[0].numpy()
    assert np.array_equal(alone, _bfloat16(a))


def _bfloat16(values: np.ndarray) -> np.ndarray:
    """Rounded to the nearest number whose lower 16 bits are zero, ties to even."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    return (rounded & 0xFFFF0000).astype(np.uint32).view(np.float32)


def test_every_product_that_a_function_returns_comes_back_as_float32():
    """Those that a gradient needs are returned as they are, a recurrent model's by the hundred."""

    @tf.function
    def sum_of_squares(x):
        products = [tf.matmul(x, x, name=f"product_{n}") for n in range(100)]
        return tf.add_n([tf.reduce_sum(tf.square(product)) for product in products])

    @tff.tensorflow.computation(tff.TensorType(np.float32, [2, 2]))
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = sum_of_squares(x)
        return tape.gradient(total, x)

    spec = bfloat16.halved(graph_spec.from_computation(slope))
    library = tf.compat.v1.GraphDef.FromString(spec.graph_def).library
    returned = [source for function in library.function for source in function.ret.values()]
    products = [source for source in returned if source.startswith("product_")]
    assert len(products) >= 100
    assert all(source.endswith(":y:0") for source in products)
