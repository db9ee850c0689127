"""SCAFFOLD (Karimireddy et al. 2020), option II.

g <- g - c_i + c; c_i' = c_i - c + Delta_i / (K eta); c <- c + sum_i (c_i' - c_i) / N, with K the
local steps taken and N the number of clients there are. The server moves by the mean update.
"""

import collections
import dataclasses
from typing import Any

import tensorflow as tf

from fed_pretrain.algorithms.client_updates.client_update import (
    ClientUpdate,
    Outcome,
    Specs,
    Tensors,
    zeros,
)
from fed_pretrain.algorithms.client_updates.local_training import LocalTraining


@dataclasses.dataclass(frozen=True)
class Scaffold(ClientUpdate):
    population: int
    extra_models_down = 1.0
    extra_models_up = 1.0

    def server_state(self, specs: Specs) -> Any:
        return collections.OrderedDict(control=zeros(specs))

    def client_state_spec(self, specs: Specs) -> Any:
        return collections.OrderedDict(control=list(specs))

    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        pairs = list(zip(server["control"], client["control"], strict=True))

        def correct(gradients: Tensors) -> Tensors:
            return [g + (c - own) for g, (c, own) in zip(gradients, pairs, strict=True)]

        training.descend(correct)
        delta = training.delta()
        travelled = tf.cast(training.steps, tf.float32) * training.learning_rate
        change = [
            tf.math.divide_no_nan(d, travelled) - c for d, (c, _) in zip(delta, pairs, strict=True)
        ]
        new = [own + d for d, (_, own) in zip(change, pairs, strict=True)]
        return Outcome(
            delta,
            sums=collections.OrderedDict(control=change),
            client_state=collections.OrderedDict(control=new),
        )

    def advance(self, server: Any, sums: Any) -> Any:
        return collections.OrderedDict(
            control=[
                c + s / self.population
                for c, s in zip(server["control"], sums["control"], strict=True)
            ]
        )
