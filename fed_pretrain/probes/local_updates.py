"""What each client of a cohort would send: plain local SGD from given weights, client by client.

The round itself keeps no client's update; analysis asks for them again, one at a time.
"""

import collections
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.local_training import LocalSettings, LocalTraining
from fed_pretrain.executors.api import ClientInput, Executor
from fed_pretrain.probes.probe import Weights
from fed_pretrain.tasks.local_work import LocalWork
from fed_pretrain.tasks.payload import payload_of


class LocalUpdates:
    """The received minus the trained weights of each client, after its own `work`."""

    def __init__(
        self,
        task: Any,
        build_model: Callable[[], Any],
        executor: Executor,
        work: LocalWork,
        learning_rate: float,
        settings: LocalSettings | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self._executor = executor
        self._reader = task.reader("train")
        self._work = work
        model_fn = task.model_fn(build_model)
        with tf.Graph().as_default():
            weights_type = tff.learning.models.weights_type_from_model(model_fn())
        data_type = tff.SequenceType(
            tff.types.tensorflow_to_type(task.payload_spec(work.batch_size))
        )

        @tff.tensorflow.computation(weights_type, data_type)
        def computation(weights: Any, data: Any) -> Any:
            payload = payload_of(data)
            training = LocalTraining(model_fn, task.objective, settings or LocalSettings())

            @tf.function
            def train(weights: Any, payload: Any) -> Any:
                training.prepare(weights, payload, tf.constant(learning_rate))
                training.descend()
                return collections.OrderedDict(update=training.delta(), rows=training.rows)

            return train(weights, payload)

        self._computation = computation

    def __call__(
        self, weights: Weights, cohort: Sequence[str], seed: int, round_number: int
    ) -> Iterator[tuple[list[np.ndarray], int]]:
        """(update, examples) of each client, in the cohort's order."""
        clients = [
            ClientInput(name, self._reader.bind(name, self._work, seed, round_number))
            for name in cohort
        ]
        for found in self._executor.map_clients(self._computation, weights, clients):
            yield [np.asarray(part) for part in found["update"]], int(found["rows"])
