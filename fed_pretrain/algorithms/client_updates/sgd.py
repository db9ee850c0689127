"""Local SGD (FedAvg, McMahan et al. 2017): y <- y - eta * v, v <- m v + (g + lambda y)."""

from typing import Any

from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome
from fed_pretrain.algorithms.client_updates.local_training import LocalTraining


class Sgd(ClientUpdate):
    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        training.descend()
        return Outcome(training.delta())
