"""FedDyn (Acar et al. 2021): g <- g - h_i + alpha (y - x); h_i <- h_i + alpha Delta_i.

Server: s <- s + sum_i Delta_i / N and x <- x - eta_s (mean_i Delta_i + s), where alpha s is the
paper's h with its sign turned, and N the number of clients there are.
"""

import collections
import dataclasses
from typing import Any

from fed_pretrain.algorithms.client_updates.client_update import (
    ClientUpdate,
    Outcome,
    Specs,
    Tensors,
)
from fed_pretrain.algorithms.client_updates.local_training import LocalTraining


@dataclasses.dataclass(frozen=True)
class FedDyn(ClientUpdate):
    alpha: float
    population: int

    def client_state_spec(self, specs: Specs) -> Any:
        return collections.OrderedDict(gradient=list(specs))

    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        own = list(client["gradient"])

        def correct(gradients: Tensors) -> Tensors:
            return [
                g - h + self.alpha * (v - x)
                for g, h, v, x in zip(
                    gradients, own, training.variables, training.start, strict=True
                )
            ]

        training.descend(correct)
        delta = training.delta()
        new = [h + self.alpha * d for h, d in zip(own, delta, strict=True)]
        return Outcome(delta, client_state=collections.OrderedDict(gradient=new))

    def wrap_aggregator(self, factory: Any) -> Any:
        from fed_pretrain.algorithms.client_updates.own_means import DynMeanFactory

        return DynMeanFactory(factory, self.population)
