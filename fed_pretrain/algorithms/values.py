"""Settings as numbers of a process' state, so that one program serves every rate and strength.

A state holds them as one vector of float64, in which arithmetic gives the bits that Python's gives.
They follow from a run's config and are no part of a checkpoint.
"""

from collections.abc import Mapping
from typing import cast

import tensorflow as tf

from fed_pretrain.algorithms.algorithm_config import VALUES, ResolvedAlgorithm

Numbers = Mapping[str, float | tf.Tensor]


def in_state(config: ResolvedAlgorithm) -> tf.Tensor:
    return tf.constant(list(config.values().values()), tf.float64)


def named(vector: tf.Tensor) -> dict[str, tf.Tensor]:
    """The numbers of a vector by the settings' names."""
    return dict(zip(VALUES, tf.unstack(vector, len(VALUES)), strict=True))


def single(number: float | tf.Tensor) -> tf.Tensor:
    """As graphs compute with it."""
    return tf.cast(number, tf.float32)


def with_numbers(config: ResolvedAlgorithm, numbers: Numbers) -> ResolvedAlgorithm:
    """The config, its values the given ones, which its own checks could not compare."""
    return cast(ResolvedAlgorithm, _WithNumbers(config, numbers))


class _WithNumbers:
    def __init__(self, config: ResolvedAlgorithm, numbers: Numbers) -> None:
        self._config, self._numbers = config, numbers

    def __getattr__(self, name: str) -> float | tf.Tensor:
        return self._numbers[name] if name in self._numbers else getattr(self._config, name)
