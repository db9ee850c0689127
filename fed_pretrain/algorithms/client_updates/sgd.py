"""Local SGD (FedAvg, McMahan et al. 2017): y <- y - eta * v, v <- m v + (g + lambda y)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome
from groundwork.untyped import State

if TYPE_CHECKING:
    from fed_pretrain.algorithms.client_updates.local_training import LocalTraining


class Sgd(ClientUpdate):
    name = "sgd"
    paper = "McMahan et al. 2017"
    help = "Local steps of SGD."

    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        training.descend()
        return Outcome(training.delta())
