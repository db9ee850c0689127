"""Client drift, and what averaging gains over the models it averages.

With x_i = x - Delta_i the weights client i reaches from the round's start x by the run's own client
update, p_i its share of the round's weights, and m the mean of x_i under p:

    drift             sqrt(sum_i p_i ||x_i - m||^2)
    relative drift    drift / sqrt(sum_i p_i ||Delta_i||^2), from 0 (all equal) to 1 (cancel out)
    aggregation gain  accuracy(m) - sum_i p_i accuracy(x_i), on the same evaluation examples
    loss gain         sum_i p_i loss(x_i) - loss(m)

m is what a server with plain averaging and rate 1 would take on.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fed_pretrain.models.weights import Weights, moved
from fed_pretrain.probes.probe import Probe, ProbeContext, RoundObservation
from fed_pretrain.tasks.evaluation import GlobalEvaluation

EVALUATION_EXAMPLES = 1000


def measure(
    weights: Weights,
    updates: Iterable[tuple[Sequence[np.ndarray], float]],
    evaluate: Callable[[Any], dict[str, float]],
    on_client: Callable[[dict[str, float]], None] = lambda figures: None,
) -> dict[str, float]:
    """The columns of a round; holds one client's update at a time.

    `on_client` is told each client's own figures, in order.
    """
    mean = [np.zeros(part.shape, np.float64) for part in weights.trainable]
    squares, accuracy, loss, total = 0.0, 0.0, 0.0, 0.0
    for update, weight in updates:
        figures = evaluate(moved(weights, update, -1.0))
        squared = _squared(update)
        on_client({**figures, "weight": weight, "norm": float(np.sqrt(squared))})
        if not weight:
            continue
        accuracy += weight * figures["accuracy"]
        loss += weight * figures["loss"]
        squares += weight * squared
        pairs = zip(mean, update, strict=True)
        mean = [m + weight * np.asarray(part, np.float64) for m, part in pairs]
        total += weight
    if not total:
        return {}
    mean = [m / total for m in mean]
    average = evaluate(moved(weights, mean, -1.0))
    drift = float(np.sqrt(max(squares / total - _squared(mean), 0.0)))
    return {
        "drift": drift,
        "relative_drift": drift / float(np.sqrt(squares / total)) if squares else float("nan"),
        "local_accuracy": accuracy / total,
        "average_accuracy": average["accuracy"],
        "aggregation_gain": average["accuracy"] - accuracy / total,
        "local_loss": loss / total,
        "average_loss": average["loss"],
        "loss_gain": loss / total - average["loss"],
    }


def _squared(tensors: Sequence[np.ndarray]) -> float:
    return sum(float(np.sum(np.square(np.asarray(t, np.float64)))) for t in tensors)


def evaluation(context: ProbeContext) -> GlobalEvaluation:
    """Every local model is evaluated, so on few examples: a fixed draw of the split."""
    return GlobalEvaluation(
        context.task,
        context.build_model,
        context.eval_split,
        max_examples=EVALUATION_EXAMPLES,
        seed=context.seed,
        device=context.executor.server_device,
    )


class Drift(Probe):
    """Columns of the probed rounds; the cohort's local work is done once more for them."""

    name = "drift"

    def __init__(self, context: ProbeContext) -> None:
        self._evaluate = evaluation(context)

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        if not due or observation.updates is None:
            return {}
        return measure(observation.before, observation.updates(), self._evaluate)
