"""FedProx (Li et al. 2020): local SGD on f_i(y) + mu/2 ||y - x||^2, so g <- g + mu (y - x)."""

import dataclasses
from typing import Any

from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome, Tensors
from fed_pretrain.algorithms.client_updates.local_training import LocalTraining


@dataclasses.dataclass(frozen=True)
class Proximal(ClientUpdate):
    strength: float

    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        training.descend(pull(training, self.strength))
        return Outcome(training.delta())


def pull(training: LocalTraining, strength: float) -> Any:
    """Adds the gradient of the proximal term; None where there is no such term."""
    if not strength:
        return None

    def correct(gradients: Tensors) -> Tensors:
        return [
            g + strength * (v - x)
            for g, v, x in zip(gradients, training.variables, training.start, strict=True)
        ]

    return correct
