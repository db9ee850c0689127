"""FedAvg as users of fed_pretrain run it, on an executor of ours."""

import functools

import numpy as np
import tensorflow_federated as tff

from benchmarks.rounds import workload
from benchmarks.rounds.contestant import IN_FLIGHT, Contestant, Weights
from fed_pretrain.executors import creation
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.executors.executor_options import ExecutorOptions


class Ours(Contestant):
    def __init__(self, model: str, cohort: int, executor: str = "device") -> None:
        options = ExecutorOptions(executor=executor, clients_in_flight=IN_FLIGHT)
        self._executor = creation.create(options)
        self._algorithm = workload.algorithm(model)
        self._first = self._executor.initialize(self._algorithm.process)
        self._clients = clients(model, cohort)

    def restart(self, weights: Weights) -> None:
        start = tff.learning.models.ModelWeights(weights, [])
        self._state = self._first._replace(global_model_weights=start)

    def round(self) -> None:
        self._state = self._executor.run_round(self._algorithm, self._state, self._clients).state

    def weights(self) -> Weights:
        return [np.asarray(w) for w in self._state.global_model_weights.trainable]

    def close(self) -> None:
        self._executor.close()


def clients(model: str, cohort: int) -> list[ClientInput]:
    return [
        ClientInput(str(client), functools.partial(workload.payload, model, client))
        for client in range(cohort)
    ]
