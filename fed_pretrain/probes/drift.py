"""Client drift, and what averaging gains over the models it averages.

With x_i the weights client i reaches by plain local SGD from the round's start, p_i its share of
the cohort's examples and x the mean of x_i under p:

    drift             sqrt(sum_i p_i ||x_i - x||^2)
    aggregation gain  accuracy(x) - sum_i p_i accuracy(x_i), on the same evaluation examples
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fed_pretrain.probes.local_updates import LocalUpdates
from fed_pretrain.probes.probe import Probe, ProbeContext, RoundObservation, Weights
from fed_pretrain.tasks.global_evaluation import GlobalEvaluation

EVALUATION_EXAMPLES = 1000


@dataclass(frozen=True)
class Moved:
    """A model's weights, some of them moved."""

    trainable: list[np.ndarray]
    non_trainable: list[np.ndarray]


def measure(
    weights: Weights,
    updates: Iterable[tuple[Sequence[np.ndarray], int]],
    evaluate: Callable[[Any], dict[str, float]],
) -> dict[str, float]:
    """The columns of a round; holds one client's update at a time."""
    mean = [np.zeros(part.shape, np.float64) for part in weights.trainable]
    squares, accuracy, total = 0.0, 0.0, 0
    for update, examples in updates:
        accuracy += examples * evaluate(_moved(weights, update))["accuracy"]
        squares += examples * _squared(update)
        pairs = zip(mean, update, strict=True)
        mean = [m + examples * np.asarray(part, np.float64) for m, part in pairs]
        total += examples
    if not total:
        return {}
    mean = [m / total for m in mean]
    average = evaluate(_moved(weights, mean))["accuracy"]
    return {
        "drift": float(np.sqrt(max(squares / total - _squared(mean), 0.0))),
        "local_accuracy": accuracy / total,
        "average_accuracy": average,
        "aggregation_gain": average - accuracy / total,
    }


def _moved(weights: Weights, update: Sequence[np.ndarray]) -> Moved:
    pairs = zip(weights.trainable, update, strict=True)
    return Moved([(w - u).astype(w.dtype) for w, u in pairs], weights.non_trainable)


def _squared(tensors: Sequence[np.ndarray]) -> float:
    return sum(float(np.sum(np.square(np.asarray(t, np.float64)))) for t in tensors)


class Drift(Probe):
    """Columns of the probed rounds; the cohort's local work is done once more for them."""

    name = "drift"

    def __init__(self, context: ProbeContext) -> None:
        self._context = context
        self._local = LocalUpdates(
            context.task,
            context.build_model,
            context.executor,
            context.work,
            context.client_learning_rate,
        )
        self._evaluate = GlobalEvaluation(
            context.task,
            context.build_model,
            context.eval_split,
            max_examples=EVALUATION_EXAMPLES,
            seed=context.seed,
        )

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        if not due or not observation.cohort:
            return {}
        updates = self._local(
            observation.before,
            observation.cohort,
            self._context.seed,
            observation.round_number,
        )
        return measure(observation.before, updates, self._evaluate)
