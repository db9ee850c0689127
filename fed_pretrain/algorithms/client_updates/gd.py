"""One step a round from gradients at the received weights x, and the server's step after it.

gd: Delta_i = eta_c * grad F_i(x) over all of a client's rows, whatever the epochs. With eta_c = 1
and an SGD server this is FedSGD; with an Adam server the GD client of "Where to Begin?". The
gradient is accumulated batch by batch, so a client of any size fits.

fedsgd, the client of the authors' code: Delta_i = eta_c * sum_b grad F_i(x; b), the mean gradients
of the batches of the client's order summed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome, Settings
from groundwork.untyped import State

if TYPE_CHECKING:
    from fed_pretrain.algorithms.client_updates.local_training import LocalTraining


class Gd(ClientUpdate):
    name = "gd"
    paper = "McMahan et al. 2017"
    help = "One gradient of all of a client's rows."
    algorithm = "fedsgd"
    # One step of gradient descent a round: ten rounds take fewer steps than two of FedAvg.
    from_random: ClassVar[Settings] = {"server_learning_rate": 0.2}
    from_pretrained: ClassVar[Settings] = {"server_learning_rate": 0.05}
    fixed: ClassVar[Settings] = {"client_learning_rate": 1.0}
    no_momentum = "it takes a single step"
    own_gradient_steps = True

    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        gradient, _ = training.full_gradient(keep_statistics=True)
        return Outcome([r * g for r, g in zip(training.rates, gradient, strict=True)])


class FedSgd(ClientUpdate):
    name = "fedsgd"
    paper = "Where to Begin? (code)"
    help = "The gradients of a client's batches at the received weights, summed."
    no_momentum = "it takes a single step"
    own_gradient_steps = True

    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        summed = training.summed_gradients()
        return Outcome([r * g for r, g in zip(training.rates, summed, strict=True)])
