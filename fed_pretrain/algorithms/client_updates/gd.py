"""One gradient of all of a client's rows: Delta_i = eta_c * grad F_i(x), whatever the epochs.

With eta_c = 1 and an SGD server this is FedSGD; with an Adam server the GD client of "Where to
Begin?". The gradient is accumulated batch by batch, so a client of any size fits.
"""

from typing import Any

from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome
from fed_pretrain.algorithms.client_updates.local_training import LocalTraining


class Gd(ClientUpdate):
    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        gradient, _ = training.full_gradient(keep_statistics=True)
        return Outcome([training.learning_rate * g for g in gradient])
