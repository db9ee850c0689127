"""FedAvg as `fed_pretrain.train` runs it, on the executor `device`."""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow_federated as tff

from benchmarks.peers import keras_work
from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients import payload
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.executors import creation
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.tasks.objective import CrossEntropy

IN_FLIGHT = 2
Rows = tuple[np.ndarray, np.ndarray]


class Ours:
    def __init__(
        self,
        model: str,
        clients: Sequence[Rows],
        batch: int,
        rate: float,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._executor = creation.create(ExecutorOptions(clients_in_flight=in_flight))
        self._algorithm = compose.build(
            ResolvedAlgorithm(client_learning_rate=rate, alignment="none"),
            functools.partial(keras_work.tff_model, model),
            payload.spec_of(*keras_work.spec(model), batch),
            CrossEntropy(),
            fixed_shapes=self._executor.fixed_shapes,
        )
        self._local = LocalWork(batch_size=batch, shuffle=False)
        self.work_on(clients)
        self._state = self._executor.initialize(self._algorithm.process)

    def work_on(self, clients: Sequence[Rows]) -> None:
        self._clients = [
            ClientInput(
                str(i), functools.partial(payload.make_payload, *rows, self._local, 0, 0, str(i))
            )
            for i, rows in enumerate(clients)
        ]

    def begin_from(self, weights: Sequence[np.ndarray]) -> None:
        begin = tff.learning.models.ModelWeights(list(weights), [])
        self._state = self._state._replace(global_model_weights=begin)

    def round(self) -> None:
        done = self._executor.run_round(self._algorithm, self._state, self._clients)
        self._state, self.seconds = done.state, done.seconds

    def weights(self) -> list[np.ndarray]:
        return [np.asarray(w) for w in self._state.global_model_weights.trainable]
