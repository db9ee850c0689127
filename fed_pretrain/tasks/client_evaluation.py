"""Every client by itself, and how fairly a model serves them."""

import collections
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.tasks.global_evaluation import evaluation_work
from fed_pretrain.tasks.payload import batch_at, num_steps, payload_of
from fed_pretrain.tasks.reader import Payload
from fed_pretrain.tasks.task import Task

QUANTILES = (10, 25, 50, 75, 90)
WORST_SHARE = 0.1


class ClientEvaluation:
    """Built once a run; an executor maps `computation` over `reads(...)`.

    `figures(executor.map_clients(evaluation.computation, weights, inputs))` with one ClientInput
    for each pair of `reads(client_ids)`.
    """

    def __init__(
        self,
        task: Task,
        build_model: Callable[[], tf.keras.Model] | None = None,
        split: str = "test",
        batch_size: int | None = None,
        max_examples: int | None = None,
    ) -> None:
        """`max_examples` bounds each client; by default as the task bounds a client's training."""
        self._task = task
        self._reader = task.reader(split)
        self._work = evaluation_work(task, batch_size, max_examples)
        self.computation = client_sums(task, build_model or task.build_model, self._work.batch_size)

    def reads(self, client_ids: Iterable[str]) -> list[tuple[str, Callable[[], Payload]]]:
        """Each client with the picklable read of its payload."""
        return [(name, self._reader.bind(name, self._work, 0, 0)) for name in client_ids]

    def figures(self, results: Iterable[Mapping[str, Any]]) -> dict[str, float]:
        """The pooled figures, and how accuracy and loss spread over the clients."""
        pooled: collections.Counter[str] = collections.Counter()
        alone = []
        for sums in results:
            client = {name: float(value) for name, value in sums.items()}
            pooled.update(client)
            alone.append(self._task.summarise(client))
        if not alone:
            return {}
        figures = self._task.summarise(pooled)
        for name in ("accuracy", "loss"):
            values = [client[name] for client in alone]
            for statistic, value in spread(values, worst_is_low=name == "accuracy").items():
                figures[f"{name}_{statistic}"] = value
        return figures


def client_sums(
    task: Task, build_model: Callable[[], tf.keras.Model], batch_size: int
) -> tff.Computation:
    """`(model weights, client data) -> sums` over each row of the client once."""
    weights_type = tff.learning.models.weights_type_from_model(task.model_fn(build_model))
    data_type = tff.SequenceType(tff.types.tensorflow_to_type(task.payload_spec(batch_size)))

    @tff.tensorflow.computation(weights_type, data_type)
    def sums_of(weights: Any, data: tf.data.Dataset) -> Mapping[str, tf.Tensor]:
        payload = payload_of(data)
        model = build_model()

        @tf.function
        def evaluate(weights: Any, payload: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
            variables = [*model.trainable_variables, *model.non_trainable_variables]
            values = [*weights.trainable, *weights.non_trainable]
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
            return _summed(task, model, payload)

        return evaluate(weights, payload)

    return sums_of


def _summed(
    task: Task, model: tf.keras.Model, payload: Mapping[str, tf.Tensor]
) -> Mapping[str, tf.Tensor]:
    def sums_at(step: tf.Tensor) -> "collections.OrderedDict[str, tf.Tensor]":
        x, y = batch_at(payload, step)
        sums = task.statistics(y, model(x, training=False))
        return collections.OrderedDict((n, tf.cast(v, tf.float64)) for n, v in sums.items())

    def body(step: tf.Tensor, totals: Any) -> tuple[tf.Tensor, Any]:
        return step + 1, tf.nest.map_structure(tf.add, totals, sums_at(step))

    steps = num_steps(payload)
    zeros = collections.OrderedDict((n, tf.zeros([], tf.float64)) for n in task.objective.names)
    return tf.while_loop(lambda step, _: step < steps, body, (tf.constant(0), zeros))[1]


def spread(values: Sequence[float], worst_is_low: bool) -> dict[str, float]:
    """Mean, deviation, quantiles and the mean of the worst tenth, each client counting once.

    Clients without a figure (nothing of theirs counted) are left out and counted as such.
    """
    known = np.sort([value for value in values if not math.isnan(value)])
    missing = float(len(values) - len(known))
    if not len(known):
        names = ("mean", "std", *(f"p{q}" for q in QUANTILES), "worst_decile")
        return {**dict.fromkeys(names, math.nan), "missing": missing}
    worst = math.ceil(WORST_SHARE * len(known))
    return {
        "mean": float(np.mean(known)),
        "std": float(np.std(known)),
        **{f"p{q}": float(np.percentile(known, q)) for q in QUANTILES},
        "worst_decile": float(np.mean(known[:worst] if worst_is_low else known[-worst:])),
        "missing": missing,
    }
