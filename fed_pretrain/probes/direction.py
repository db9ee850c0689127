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

from fed_pretrain.executors.api import ClientInput, Executor
from fed_pretrain.probes.curvature.products import inner_product
from fed_pretrain.probes.mixture import moved
from fed_pretrain.probes.probe import Weights
from fed_pretrain.tasks.global_evaluation import assign
from fed_pretrain.tasks.payload import batch_at, num_steps, payload_of

# A loss near zero would leave no room to look around in.
_LEAST_LOSS = 1e-3


def reach(loss: float, curvature: float) -> float:
    """The distance at which the curvature alone would double the loss."""
    return float(np.sqrt(2.0 * max(loss, _LEAST_LOSS) / abs(curvature)))


def loss_and_slope(task: Any, build_model: Callable[[], Any]) -> tff.Computation:
    """`((weights, vector), client data) -> sums` of loss, slope and accuracy over the client."""
    weights_type = tff.learning.models.weights_type_from_model(task.model_fn(build_model))
    value_type = tff.to_type(
        collections.OrderedDict(weights=weights_type, vector=weights_type.trainable)
    )
    data_type = tff.SequenceType(tff.types.tensorflow_to_type(task.payload_spec(None)))

    @tff.tensorflow.computation(value_type, data_type)
    def computation(value: Any, data: tf.data.Dataset) -> Any:
        payload = payload_of(data)
        model = build_model()

        @tf.function
        def run(value: Any, payload: Any) -> Any:
            assign(model, value["weights"])
            return _summed(task, model, list(value["vector"]), payload)

        return run(value, payload)

    return computation


def _summed(task: Any, model: tf.keras.Model, vector: Sequence[tf.Tensor], payload: Any) -> Any:
    names = ("loss_sum", "count", "correct", "scored", "slope_sum")

    def body(step: tf.Tensor, totals: Any) -> Any:
        x, y = batch_at(payload, step)
        with tf.GradientTape() as tape:
            sums = dict(task.statistics(y, model(x, training=False)))
        gradients = tape.gradient(
            sums["loss_sum"], model.trainable_variables, unconnected_gradients="zero"
        )
        sums["slope_sum"] = inner_product(gradients, vector)
        return step + 1, [total + sums[name] for total, name in zip(totals, names, strict=True)]

    _, totals = tf.while_loop(
        lambda step, _: step < num_steps(payload),
        body,
        (tf.constant(0), [tf.constant(0.0) for _ in names]),
    )
    return collections.OrderedDict(zip(names, totals, strict=True))


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
