"""An LSTM whose loops hold only what must be done step by step.

TensorFlow differentiates a loop step by step: each adds its own product to the gradients of the
weights. Here the product with the inputs comes before the loop, and those of the gradients after
it, one for all steps. GPUs have a fused kernel, and XLA is held to Keras' loops, so that clients
train by this one on CPUs alone. It can be differentiated once.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

import tensorflow as tf

Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
_WANTED = contextvars.ContextVar("lstm_loop", default=False)


@contextlib.contextmanager
def differentiated_once(wanted: bool = True) -> Iterator[None]:
    """Within this block the LSTMs of our models are of this kind."""
    token = _WANTED.set(wanted)
    try:
        yield
    finally:
        _WANTED.reset(token)


def wanted() -> bool:
    return _WANTED.get()


class LSTM(tf.keras.layers.LSTM):
    """All hidden states of Keras' layer without masks and dropout, whose weights it has."""

    def call(self, inputs: tf.Tensor, *_: object, **__: object) -> tf.Tensor:
        steps_first = tf.transpose(inputs, [1, 0, 2])
        by_input = tf.tensordot(steps_first, self.cell.kernel, [[2], [0]]) + self.cell.bias
        states = _states(by_input, tf.convert_to_tensor(self.cell.recurrent_kernel))
        return tf.transpose(states, [1, 0, 2])


@tf.custom_gradient
def _states(by_input: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """The states [steps, rows, units] after each step; `kernel` multiplies the one before.

    Gates are in Keras' order: input, forget, candidate, output.
    """
    units, steps = kernel.shape[0], tf.shape(by_input)[0]
    zero = tf.zeros([tf.shape(by_input)[1], units], kernel.dtype)

    def array(width: int) -> tf.TensorArray:
        return tf.TensorArray(kernel.dtype, steps, element_shape=[None, width])

    def forward(step: tf.Tensor, state: tf.Tensor, cell: tf.Tensor, *kept: tf.TensorArray) -> tuple:
        sums = by_input[step] + tf.matmul(state, kernel)
        i, f, g, o = tf.split(sums, 4, axis=1)
        gates = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        after = gates[1] * cell + gates[0] * gates[2]
        state = gates[3] * tf.tanh(after)
        values = state, cell, tf.concat(gates, axis=1)
        written = [one.write(step, value) for one, value in zip(kept, values, strict=True)]
        return step + 1, state, after, *written

    first = (tf.constant(0), zero, zero, array(units), array(units), array(4 * units))
    _, _, last, *kept = tf.while_loop(
        lambda step, *_: step < steps, forward, first, parallel_iterations=1
    )
    states, cells, gates = (one.stack() for one in kept)

    def gradient(of_states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # `state` and `cell` are the gradients of what the step gave to the next one.
        def backward(
            step: tf.Tensor,
            state: tf.Tensor,
            cell: tf.Tensor,
            after: tf.Tensor,
            kept: tf.TensorArray,
        ) -> tuple:
            i, f, g, o = tf.split(gates[step], 4, axis=1)
            before, bent = cells[step], tf.tanh(after)
            state = state + of_states[step]
            cell = cell + state * o * (1 - bent * bent)
            of_gates = (
                cell * g * i * (1 - i),
                cell * before * f * (1 - f),
                cell * i * (1 - g * g),
                state * bent * o * (1 - o),
            )
            sums = tf.concat(of_gates, axis=1)
            earlier = tf.matmul(sums, kernel, transpose_b=True)
            return step - 1, earlier, cell * f, before, kept.write(step, sums)

        start = (steps - 1, zero, zero, last, array(4 * units))
        *_, kept = tf.while_loop(lambda step, *_: step >= 0, backward, start, parallel_iterations=1)
        of_sums = kept.stack()
        later = tf.reshape(of_sums[1:], [-1, 4 * units])
        of_kernel = tf.matmul(tf.reshape(states[:-1], [-1, units]), later, transpose_a=True)
        return _final(of_sums), _final(of_kernel)

    return states, gradient


def _final(gradient: tf.Tensor) -> tf.Tensor:
    """What is kept of the steps counts as constant, so that a second derivative would be wrong."""
    return tf.raw_ops.PreventGradient(
        input=gradient, message="lstm_loop.LSTM can be differentiated once"
    )
