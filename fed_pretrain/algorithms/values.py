"""Settings as numbers of a process' state, so that one program serves every rate and strength.

A state holds them as one vector of float64, in which arithmetic gives the bits that Python's gives.
They follow from a run's config and are not part of a checkpoint.
"""

import collections
from collections.abc import Mapping
from typing import cast

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.algorithm_config import SETTINGS, VALUES, ResolvedAlgorithm
from groundwork.untyped import Computation, Nested, State

Numbers = Mapping[str, float | tf.Tensor]


def in_state(config: ResolvedAlgorithm) -> tf.Tensor:
    return tf.constant(list(config.values().values()), tf.float64)


def first_numbers(config: ResolvedAlgorithm) -> Computation:
    """What gives them to a state at the server."""

    @tff.tensorflow.computation
    def numbers() -> tf.Tensor:
        return in_state(config)

    return numbers


def renewed(state: State, vector: tf.Tensor) -> State:
    """The state with these numbers wherever it holds numbers."""
    if not isinstance(state, Mapping):
        return state
    return collections.OrderedDict(
        (name, vector if name == SETTINGS else renewed(part, vector))
        for name, part in state.items()
    )


def named(vector: tf.Tensor) -> dict[str, tf.Tensor]:
    """The numbers of a vector by the settings' names."""
    return dict(zip(VALUES, tf.unstack(vector, len(VALUES)), strict=True))


def single(number: float | tf.Tensor) -> tf.Tensor:
    """As graphs compute with it."""
    return tf.cast(number, tf.float32)


def divided(tensor: tf.Tensor, number: float | tf.Tensor) -> tf.Tensor:
    """As TensorFlow divides by a constant, with the bits of a product by its inverse."""
    return tensor * tf.math.reciprocal(single(number))


def finite(leaves: Nested) -> tf.Tensor:
    """Whether the squares of each leaf add up: beyond that the next steps overflow."""
    return tf.reduce_all(
        [tf.math.is_finite(tf.nn.l2_loss(leaf)) for leaf in tf.nest.flatten(leaves)]
    )


def with_numbers(config: ResolvedAlgorithm, numbers: Numbers) -> ResolvedAlgorithm:
    """The config, its values the given ones, which its own checks could not compare."""
    return cast(ResolvedAlgorithm, _WithNumbers(config, numbers))


class _WithNumbers:
    def __init__(self, config: ResolvedAlgorithm, numbers: Numbers) -> None:
        self._config, self._numbers = config, numbers

    def __getattr__(self, name: str) -> float | tf.Tensor:
        return self._numbers[name] if name in self._numbers else getattr(self._config, name)
