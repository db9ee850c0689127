"""Gradients through the loops of recurrent layers, compiled by XLA."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.executors.graphs import bounded_loops, graph_spec
from fed_pretrain.executors.graphs.graph_import import ImportedGraph

STEPS, ROWS = 4, 3
X = np.linspace(-1, 1, STEPS * ROWS, dtype=np.float32).reshape(STEPS, ROWS)


def _loop(x: tf.Tensor, step: int) -> tf.Tensor:
    """s_(t+1) = tanh(s_t + x_t) from lists, as Keras' recurrent layers do; the sum of all s."""
    steps = tf.shape(x)[0]
    read = tf.TensorArray(tf.float32, size=steps).unstack(x)
    written = tf.TensorArray(tf.float32, size=steps)

    def body(t: tf.Tensor, state: tf.Tensor, out: tf.TensorArray) -> Any:
        state = tf.tanh(state + read.read(t))
        return t + step, state, out.write(t, state)

    first = (tf.constant(0), tf.zeros([ROWS]), written)
    _, _, out = tf.while_loop(lambda t, *_: t < steps, body, first)
    return tf.reduce_sum(out.stack())


def _gradient(step: int) -> Any:
    @tf.function
    def loss(x: tf.Tensor) -> tf.Tensor:
        return _loop(x, step)

    @tff.tensorflow.computation(tff.TensorType(np.float32, [None, ROWS]))
    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x)
        return tape.gradient(value, x)

    return graph_spec.from_computation(gradient)


def _expected() -> np.ndarray:
    """Back through time, by hand."""
    states = [np.zeros(ROWS, np.float32)]
    for row in X:
        states.append(np.tanh(states[-1] + row))
    slopes, later = [], np.zeros(ROWS, np.float32)
    for state in reversed(states[1:]):
        later = (1 + later) * (1 - state**2)
        slopes.append(later)
    return np.stack(slopes[::-1])


def test_a_compiled_gradient_is_the_one_by_hand() -> None:
    spec = _gradient(step=1)
    [plain], [compiled] = ImportedGraph(spec)([X]), ImportedGraph(spec, jit=True)([X])
    np.testing.assert_allclose(plain, _expected(), atol=1e-6)
    np.testing.assert_allclose(compiled, _expected(), atol=1e-6)


def test_xla_refuses_it_as_it_was_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_loops, "bound", lambda _: None)
    with pytest.raises(tf.errors.OpError, match="fixed tensor list size"):
        ImportedGraph(_gradient(step=1), jit=True)([X])


def test_a_loop_that_counts_otherwise_is_left_as_it_is() -> None:
    spec = _gradient(step=2)
    assert _maxima(spec, bound=False) == _maxima(spec, bound=True) != []
    counted = _gradient(step=1)
    assert _maxima(counted, bound=False) != _maxima(counted, bound=True)


def _maxima(spec: Any, bound: bool) -> list[str]:
    graph = tf.compat.v1.GraphDef.FromString(spec.graph_def)
    if bound:
        bounded_loops.bound(graph)
    nodes = (node for function in graph.library.function for node in function.node_def)
    return [node.input[1] for node in nodes if node.op in ("StatelessWhile", "EmptyTensorList")]
