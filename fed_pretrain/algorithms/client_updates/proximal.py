"""FedProx (Li et al. 2020): local SGD on f_i(y) + mu/2 ||y - x||^2, so g <- g + mu (y - x)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Self

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome, Settings
from groundwork.untyped import State

if TYPE_CHECKING:
    from fed_pretrain.algorithms.client_updates.local_training import LocalTraining, Tensors


@dataclasses.dataclass(frozen=True)
class Proximal(ClientUpdate):
    name = "proximal"
    paper = "Li et al. 2020"
    help = "Local SGD, pulled towards the received weights."
    algorithm = "fedprox"
    fixed: ClassVar[Settings] = {"proximal_strength": 0.01}
    understands = ("proximal_strength",)

    pulls: bool

    @classmethod
    def of(cls, config: ResolvedAlgorithm) -> Self:
        return cls(bool(config.proximal_strength))

    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        training.descend(pull(training, self.pulls))
        return Outcome(training.delta())


def pull(training: LocalTraining, pulls: bool) -> Callable[[Tensors], Tensors] | None:
    """Adds the gradient of the proximal term; None where there is no such term."""
    if not pulls:
        return None
    strength = training.numbers["proximal_strength"]

    def correct(gradients: Tensors) -> Tensors:
        return [
            g + strength * (v - x)
            for g, v, x in zip(gradients, training.variables, training.start, strict=True)
        ]

    return correct
