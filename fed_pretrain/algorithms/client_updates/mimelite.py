"""MimeLite (Karimireddy et al. 2021): local steps with the server optimizer's state, held fixed.

y <- y - eta * U(g, s); afterwards s <- V(mean_i grad F_i(x), s) and x <- x - eta_s mean_i Delta_i.
"""

import collections
import dataclasses
from typing import Any

import tensorflow as tf

from fed_pretrain.algorithms.client_updates import server_state
from fed_pretrain.algorithms.client_updates.client_update import (
    ClientUpdate,
    Outcome,
    Specs,
    Tensors,
)
from fed_pretrain.algorithms.client_updates.local_training import Gradients, LocalTraining


@dataclasses.dataclass(frozen=True)
class MimeLite(ClientUpdate):
    optimizer: Any
    uniform: bool
    extra_models_up = 1.0

    def server_state(self, specs: Specs) -> Any:
        return collections.OrderedDict(optimizer=self.optimizer.initialize(list(specs)))

    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        gradient, _ = training.full_gradient()
        state = server_state.at_rate(server["optimizer"], training.learning_rate)

        def step(gradients: Gradients, index: tf.Tensor) -> None:
            server_state.step(self.optimizer, state, training, training.regularised(gradients))

        training.loop(step)
        return Outcome(training.delta(), sums=weighted(training, gradient, self.uniform))

    def advance(self, server: Any, sums: Any) -> Any:
        specs = [tf.TensorSpec(g.shape, g.dtype) for g in sums["gradient"]]
        mean = server_state.weighted_mean(list(sums["gradient"]), sums["weight"])
        state = tf.cond(
            sums["weight"] > 0.0,
            lambda: server_state.advanced(self.optimizer, server["optimizer"], mean, specs),
            lambda: tf.nest.map_structure(tf.identity, server["optimizer"]),
        )
        return collections.OrderedDict(optimizer=state)


def weighted(training: LocalTraining, gradient: Tensors, uniform: bool) -> Any:
    """The client's full gradient, times its weight, beside the weight."""
    weight = tf.constant(1.0) if uniform else tf.cast(training.rows, tf.float32)
    return collections.OrderedDict(gradient=[weight * g for g in gradient], weight=weight)
