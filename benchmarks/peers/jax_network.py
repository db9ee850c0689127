"""The models in JAX."""

import jax
import jax.numpy as jnp

from .models import MODELS

LAYOUT = ("NHWC", "HWIO", "NHWC")


class Network:
    def __init__(self, weights):
        self._weights = weights

    def weight(self, layer, name="kernel"):
        return self._weights[f"{layer}.{name}"]

    def plus_bias(self, x, layer):
        return x + self._weights.get(f"{layer}.bias", 0.0)

    def relu(self, x):
        return jax.nn.relu(x)

    def flat(self, x):
        return x.reshape(x.shape[0], -1)

    def join(self, parts):
        return jnp.concatenate(parts, -1)

    def conv(self, x, layer, stride=1, padding=0):
        kernel, strides = self.weight(layer), (stride, stride)
        around = [(padding, padding)] * 2
        y = jax.lax.conv_general_dilated(x, kernel, strides, around, dimension_numbers=LAYOUT)
        return self.plus_bias(y, layer)

    def norm(self, x, layer):
        *positions, channels = x.shape
        by_group = x.reshape(*positions, min(32, channels), -1)
        mean = by_group.mean((1, 2, 4), keepdims=True)
        variance = by_group.var((1, 2, 4), keepdims=True)
        x = ((by_group - mean) * jax.lax.rsqrt(variance + 1e-5)).reshape(x.shape)
        return x * self.weight(layer, "gamma") + self.weight(layer, "beta")

    def pool(self, x):
        window = (1, 2, 2, 1)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")

    def mean(self, x):
        return x.mean((1, 2))

    def dense(self, x, layer):
        return self.plus_bias(x @ self.weight(layer), layer)

    def embed(self, ids, layer):
        return self.weight(layer, "embeddings")[ids]

    def shares(self, scores):
        return jax.nn.softmax(scores, 1)

    def lstm(self, x, layer):
        recurrent = self.weight(layer, "recurrent_kernel")

        def step(state, entering):
            hidden, cell = state
            i, f, c, o = jnp.split(entering + hidden @ recurrent, 4, -1)
            cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(c)
            hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
            return (hidden, cell), hidden

        zeros = jnp.zeros([x.shape[0], recurrent.shape[0]])
        entering = self.dense(x, layer).swapaxes(0, 1)
        return jax.lax.scan(step, (zeros, zeros), entering)[1].swapaxes(0, 1)


def apply(model, weights, x):
    if x.dtype == jnp.uint8:
        x = x.astype(jnp.float32) / 255
    return MODELS[model](Network(weights), x)
