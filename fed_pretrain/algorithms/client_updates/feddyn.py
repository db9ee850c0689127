"""FedDyn (Acar et al. 2021): g <- g - h_i + alpha (y - x); h_i <- h_i + alpha Delta_i.

Server: s <- s + sum_i w_i Delta_i / W and x <- x - eta_s (mean_i Delta_i + s), where alpha s is the
paper's h with its sign turned, w_i the client's weight in that mean, and W the weight of all
clients there are. The paper has w_i = 1 and W = N; with --weighting=examples its loss is
sum_i w_i L_i / W. alpha s = sum_i w_i h_i / W holds throughout because W never changes.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Hashable
from typing import TYPE_CHECKING, Self

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome
from groundwork.untyped import Factory, Spec, State

if TYPE_CHECKING:
    from fed_pretrain.algorithms.client_updates.local_training import LocalTraining, Specs, Tensors


@dataclasses.dataclass(frozen=True)
class FedDyn(ClientUpdate):
    name = "feddyn"
    paper = "Acar et al. 2021"
    help = "Local SGD, corrected by the client's past updates."
    algorithm = "feddyn"
    understands = ("dyn_alpha",)
    keeps_state = True
    own_server_sums = True
    servers_own = "FedDyn's server adds the running sum of all clients' updates"

    config: ResolvedAlgorithm

    @classmethod
    def of(cls, config: ResolvedAlgorithm) -> Self:
        return cls(config)

    def structure(self) -> Hashable:
        return type(self)

    @classmethod
    def refusals(cls, config: ResolvedAlgorithm) -> list[str]:
        found = []
        if not config.dyn_alpha:
            found.append("--dyn_alpha=0 divides by zero in FedDyn's server step")
        if config.server_optimizer != "sgd":
            found.append(
                "FedDyn's server step is its own (mean plus drift): "
                f"--server_optimizer={config.server_optimizer} would rescale it; use sgd"
            )
        return found

    def client_state_spec(self, specs: Specs) -> Spec:
        return collections.OrderedDict(gradient=list(specs))

    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        own, alpha = list(client["gradient"]), training.numbers["dyn_alpha"]

        def correct(gradients: Tensors) -> Tensors:
            return [
                g - h + alpha * (v - x)
                for g, h, v, x in zip(
                    gradients, own, training.variables, training.start, strict=True
                )
            ]

        training.descend(correct)
        delta = training.delta()
        new = [h + alpha * d for h, d in zip(own, delta, strict=True)]
        return Outcome(delta, client_state=collections.OrderedDict(gradient=new))

    def wrap_aggregator(self, factory: Factory) -> Factory:
        from fed_pretrain.algorithms.client_updates.own_means import DynMeanFactory

        return DynMeanFactory(factory, self.config)
