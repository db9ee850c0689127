"""SCAFFOLD (Karimireddy et al. 2020), option II.

g <- g - c_i + c; c_i' = c_i - c + Delta_i / (K eta); c <- c + sum_i (c_i' - c_i) / N, with K the
local steps taken and N the number of clients there are. The server moves by the mean update.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Any, Self

from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome

if TYPE_CHECKING:
    from fed_pretrain.algorithms.client_updates.local_training import LocalTraining, Specs, Tensors


@dataclasses.dataclass(frozen=True)
class Scaffold(ClientUpdate):
    name = "scaffold"
    paper = "Karimireddy et al. 2020"
    help = "Local SGD, corrected by control variates of the client and the server."
    algorithm = "scaffold"
    keeps_state = True
    own_server_sums = True
    no_momentum = "its control variates take Delta / (K eta) for the mean gradient"
    extra_models_down = 1.0
    extra_models_up = 1.0

    population: int

    @classmethod
    def of(cls, config: AlgorithmConfig) -> Self:
        return cls(config.population)

    def server_state(self, specs: Specs) -> Any:
        from fed_pretrain.algorithms.client_updates.local_training import zeros

        return collections.OrderedDict(control=zeros(specs))

    def client_state_spec(self, specs: Specs) -> Any:
        return collections.OrderedDict(control=list(specs))

    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        import tensorflow as tf

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
