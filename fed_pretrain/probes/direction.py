"""The loss along a direction in weight space, beside what its curvature at one point predicts.

With v of length one, s = <grad F(w), v> and c = <v, H v>, the quadratic model is
q(a) = F(w) + s a + c a^2 / 2. Where F(w + a v) leaves q, c no longer describes the loss.
"""

import collections
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.curvature.loss_operators import inner_product
from fed_pretrain.executors.executor import ClientInput, Executor
from fed_pretrain.models.weights import Weights, moved
from fed_pretrain.tasks.client_sums import Batch, BuildModel, Finding, Sums, Vector, client_sums
from fed_pretrain.tasks.task import Task

# A loss near zero would leave no room to look around in.
_LEAST_LOSS = 1e-3
_STATISTICS = ("loss_sum", "count", "correct", "scored")


def reach(loss: float, curvature: float) -> float:
    """The distance at which the curvature alone would double the loss."""
    return float(np.sqrt(2.0 * max(loss, _LEAST_LOSS) / abs(curvature)))


def loss_and_slope(task: Task, build_model: BuildModel) -> tff.Computation:
    """`((weights, vector), client data) -> sums` of loss, slope and accuracy over the client."""
    return client_sums(task, build_model, Finding(_found, _zeros))


def _found(batch: Batch) -> Sums:
    with tf.GradientTape() as tape:
        sums = batch.statistics(batch.logits())
    gradients = tape.gradient(sums["loss_sum"], batch.variables, unconnected_gradients="zero")
    slope = inner_product(gradients, batch.vector)
    return collections.OrderedDict({name: sums[name] for name in _STATISTICS}, slope_sum=slope)


def _zeros(vector: Vector) -> Sums:
    names = (*_STATISTICS, "slope_sum")
    return collections.OrderedDict((name, tf.constant(0.0)) for name in names)


def along(
    executor: Executor,
    computation: tff.Computation,
    weights: Weights,
    vector: Sequence[np.ndarray],
    clients: Sequence[ClientInput],
    distances: Sequence[float],
    on_point: Callable[[int], None] = lambda number: None,
) -> dict[str, Any]:
    """Loss, accuracy and slope at each distance, pooled over the clients' examples."""
    rows = []
    for number, distance in enumerate(distances, 1):
        value = collections.OrderedDict(
            weights=moved(weights, vector, distance), vector=list(vector)
        )
        sums = executor.sum_clients(computation, value, clients)
        found = {name: float(part) for name, part in sums.items()}
        rows.append(
            {
                "loss": found["loss_sum"] / found["count"],
                "accuracy": found["correct"] / found["scored"],
                "slope": found["slope_sum"] / found["count"],
            }
        )
        on_point(number)
    return {"distances": list(distances), **{name: [r[name] for r in rows] for name in rows[0]}}


def beside_quadratic(content: dict[str, Any], curvature: float) -> dict[str, Any]:
    """Adds q at every distance, and how far the loss leaves it: over all, and over the inner half.

    A departure is the largest |F - q| as a share of the largest rise c a^2 / 2 in that range.
    """
    distances = np.array(content["distances"])
    middle = int(np.argmin(np.abs(distances)))
    loss, slope = content["loss"][middle], content["slope"][middle]
    rise = 0.5 * curvature * distances**2
    quadratic = loss + slope * distances + rise
    apart = np.abs(np.array(content["loss"]) - quadratic)
    inner = np.abs(distances) <= 0.5 * np.max(np.abs(distances)) * (1 + 1e-9)
    return {
        **content,
        "quadratic": quadratic.tolist(),
        "slope_at_weights": slope,
        "departure": float(apart.max() / np.abs(rise).max()),
        "departure_of_inner_half": float(apart[inner].max() / np.abs(rise[inner]).max()),
    }
