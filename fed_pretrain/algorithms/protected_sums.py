"""Sums over all clients outside the rounds, added securely and with privacy noise.

A client's sums, as one vector, are shortened to a norm that no data decides. Gaussian noise of
--dp_noise_multiplier times that norm, on every number of the total, makes them one more release of
the same mechanism as a round's update, which the accountants count (`ResolvedAlgorithm.releases`).
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.algorithms.algorithm_config import SECURE_RANGE, ResolvedAlgorithm
from groundwork import randomness

if TYPE_CHECKING:
    import tensorflow as tf

Sums = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Protection:
    """noise: over the norm of a client, None without privacy. clients: how many are summed."""

    noise: float | None
    secure: bool
    seed: int
    clients: int

    @classmethod
    def of(cls, config: ResolvedAlgorithm) -> Protection:
        noise = config.dp_noise_multiplier
        seed = 0 if noise is None else config.seed
        return cls(noise, config.secure_aggregation, seed, config.population)

    @property
    def any(self) -> bool:
        return self.secure or self.noise is not None

    def leaves(self, sums: Mapping[str, tf.Tensor], norm: float) -> Mapping[str, tf.Tensor]:
        """A client's sums as it sends them; in the client's graph."""
        import tensorflow as tf

        from fed_pretrain.algorithms.aggregators import secure_sum

        if self.noise is not None:
            squares = tf.add_n([tf.reduce_sum(value**2) for value in sums.values()])
            share = tf.minimum(tf.constant(1.0, squares.dtype), norm / tf.sqrt(squares))
            share = tf.where(tf.math.is_finite(share), share, 0.0)
            sums = {
                name: tf.where(tf.math.is_finite(value), share * value, 0.0)
                for name, value in sums.items()
            }
        if self.secure:
            bound = SECURE_RANGE / self.clients
            # Towards zero, so that a norm that was shortened stays so.
            sums = {
                name: secure_sum.encode(value, bound, tf.identity) for name, value in sums.items()
            }
        return collections.OrderedDict(sums)

    def arrives(self, total: Sums, norm: float, purpose: str) -> dict[str, np.ndarray]:
        """The total as the server sees it; square arrays are symmetric, and so is their noise."""
        from fed_pretrain.algorithms.aggregators import secure_sum

        found: dict[str, np.ndarray] = {n: np.asarray(value) for n, value in total.items()}
        if self.secure:
            found = {name: np.asarray(secure_sum.decode(value)) for name, value in found.items()}
        if self.noise is None:
            return found
        noisy: dict[str, np.ndarray] = {}
        for name, value in found.items():
            generator = randomness.generator(self.seed, "sums", purpose, name)
            drawn: np.ndarray = self.noise * norm * generator.normal(size=value.shape)
            if value.ndim == 2 and value.shape[0] == value.shape[1]:
                drawn = np.triu(drawn) + np.triu(drawn, 1).T
            noisy[name] = value + drawn
        return noisy
