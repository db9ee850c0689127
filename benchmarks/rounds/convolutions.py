"""The convolutions of a model by themselves: what this machine makes of them in one thread."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from benchmarks.peers import cases

LEAST_SECONDS = 0.3
MATRIX = 1024
FORWARD, TO_FILTER, TO_INPUT = "Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropInput"


class Convolution(NamedTuple):
    layer: str
    rows: tuple[int, ...]
    filters: tuple[int, ...]
    stride: int
    padding: str
    operations: float
    """Of one pass, a multiplication and an addition being two."""

    def passes(self) -> list[str]:
        """The first layer's input needs no gradient."""
        return [FORWARD, TO_FILTER, *([TO_INPUT] if self.filters[2] > 3 else [])]


def of_model(name: str, batch: int) -> list[Convolution]:
    found = []
    for layer in cases.build(name).layers:
        if isinstance(layer, tf.keras.layers.Conv2D):
            _, *entering = layer.input_shape
            _, height, width, channels = layer.output_shape
            filters = tuple(layer.kernel.shape)
            multiplied = height * width * channels * filters[0] * filters[1] * filters[2]
            found.append(
                Convolution(
                    layer.name,
                    (batch, *entering),
                    filters,
                    layer.strides[0],
                    layer.padding.upper(),
                    2.0 * batch * multiplied,
                )
            )
    return found


def measure(case_name: str) -> dict[str, Any]:
    """GFLOP a CPU second by pass, weighted as a step of the model is; and of a large product."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    case = cases.CASES[case_name]
    operations = dict.fromkeys((FORWARD, TO_FILTER, TO_INPUT), 0.0)
    seconds = dict(operations)
    layers = []
    for one in of_model(case.model, case.batch):
        for kind in one.passes():
            spent = cpu_seconds(_pass(one, kind))
            operations[kind] += one.operations
            seconds[kind] += spent
            layers.append({"layer": one.layer, "pass": kind, "rate": one.operations / spent / 1e9})
    square = tf.random.normal([MATRIX, MATRIX])
    product = 2 * MATRIX**3 / cpu_seconds(lambda: tf.matmul(square, square)) / 1e9
    rates = {kind: operations[kind] / seconds[kind] / 1e9 for kind in operations if seconds[kind]}
    batches = sum(-(-int(size) // case.batch) for size in cases.sizes(case))
    done = {kind: value * batches / 1e9 for kind, value in operations.items()}
    return {"rates": rates, "gflop": done, "product": product, "layers": layers}


def _pass(one: Convolution, kind: str) -> Callable[[], Any]:
    x, w = tf.random.normal(one.rows), tf.random.normal(one.filters)
    options: dict[str, Any] = {"strides": [1, one.stride, one.stride, 1], "padding": one.padding}
    y = tf.nn.conv2d(x, w, **options)
    if kind == FORWARD:
        return lambda: tf.nn.conv2d(x, w, **options)
    if kind == TO_FILTER:
        return lambda: tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=one.filters, out_backprop=y, **options
        )
    return lambda: tf.raw_ops.Conv2DBackpropInput(
        input_sizes=one.rows, filter=w, out_backprop=y, **options
    )


def cpu_seconds(work: Callable[[], Any]) -> float:
    """Of one call, once warm; other users of the machine do not count."""
    work()
    began, cpu, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < LEAST_SECONDS or count < 3:
        work()
        count += 1
    return (time.process_time() - cpu) / count
