"""The loss along the top Hessian eigenvector, beside what the curvature at one point predicts.

With v of length one, s = <grad F(w), v> and c = <v, H v>, the quadratic model is
q(a) = F(w) + s a + c a^2 / 2. Where F(w + a v) leaves q, c no longer describes the loss.
"""

from __future__ import annotations

import collections
import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.clients.local_work import TRAIN_SPLIT
from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.executors.executor import ClientInput, Executor
from fed_pretrain.models.weights import FlatVectors, Weights, moved
from fed_pretrain.probes import curvature, landscape
from fed_pretrain.probes.probe import Content, Probe
from fed_pretrain.probes.subject import Subject
from groundwork.errors import UserError
from groundwork.progress import Progress
from groundwork.untyped import Json

if TYPE_CHECKING:
    import tensorflow_federated as tff
    from matplotlib.figure import Figure

    from fed_pretrain.tasks.client_sums import Batch, BuildModel, Sums, Vector
    from fed_pretrain.tasks.task import Task

# A loss near zero would leave no room to look around in.
_LEAST_LOSS = 1e-3
_STATISTICS = ("loss_sum", "count", "correct", "scored")


@dataclasses.dataclass(frozen=True)
class EigenvectorOptions:
    reach: float = dataclasses.field(
        default=1.0,
        metadata={
            "help": "Of eigenvector: how far to look; 1 is where the eigenvalue alone would double"
            " the loss.",
            "lower_bound": 1e-6,
        },
    )


class Eigenvector(Probe):
    """On the examples that the eigenvalue was measured on."""

    name = "eigenvector"
    help = "the loss along the top eigenvector, beside the parabola of its eigenvalue"
    options = (CurvatureConfig, landscape.LandscapeOptions, EigenvectorOptions)

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        curvature.operators(subject)

    def measure(self) -> Content:
        from fed_pretrain.curvature import sample

        subject, weights = self.subject, self.subject.model.weights
        top = curvature.top_of_hessian(subject)
        pair = top.pairs[0]
        if not pair.value:
            raise UserError("--probes=eigenvector: the Hessian of these weights is zero")
        drawn = curvature.examples(subject)
        computation = subject.cached(
            "loss and slope", lambda: loss_and_slope(subject.task, subject.build_model)
        )
        clients = sample.inputs(
            subject.task.reader(TRAIN_SPLIT), drawn, subject.option(CurvatureConfig).micro_batch
        )
        vector = FlatVectors(weights.trainable).split(pair.vector)
        point = along(subject.executor, computation, weights, vector, clients, [0.0])
        reach_of_line = subject.option(EigenvectorOptions).reach * reach(
            point["loss"][0], pair.value
        )
        points = 2 * subject.option(landscape.LandscapeOptions).points - 1
        progress = Progress("eigenvector", points, stream=sys.stderr)
        content = along(
            subject.executor,
            computation,
            weights,
            vector,
            clients,
            np.linspace(-reach_of_line, reach_of_line, points).tolist(),
            lambda number: progress.update(number, "points"),
        )
        progress.close()
        return {
            **beside_quadratic(content, pair.value),
            "eigenvalue": pair.value,
            "residual": pair.residual,
            "converged": top.converged,
            "examples": drawn.examples,
            "clients": len(drawn.clients),
            "unit": "loss in nats a position, over the Euclidean distance moved along the unit"
            " eigenvector; departure: |loss - parabola| as a share of the parabola's largest rise",
        }

    @staticmethod
    def draw(content: Mapping[str, Json]) -> Figure:
        """The loss, and the parabola that the eigenvalue and the slope make."""
        from fed_pretrain.probes import drawing

        title = f"training loss along the top eigenvector, eigenvalue {content['eigenvalue']:.4g}"
        horizontal = "distance along the unit eigenvector"
        made, plot = drawing.axes(title, horizontal, "loss (nats)")
        distances = content["distances"]
        plot.plot(
            distances,
            drawing.numbers(content["loss"]),
            ".-",
            color=drawing.COLOURS[0],
            label="loss",
        )
        plot.plot(
            distances,
            drawing.numbers(content["quadratic"]),
            "--",
            color=drawing.COLOURS[1],
            label="parabola of slope and eigenvalue",
        )
        plot.axvline(0.0, color="0.5", linestyle=":", linewidth=1)
        plot.legend(fontsize="small")
        return made


def reach(loss: float, curvature: float) -> float:
    """The distance at which the curvature alone would double the loss."""
    return float(np.sqrt(2.0 * max(loss, _LEAST_LOSS) / abs(curvature)))


def loss_and_slope(task: Task, build_model: BuildModel) -> tff.Computation:
    """`((weights, vector), client data) -> sums` of loss, slope and accuracy over the client."""
    from fed_pretrain.tasks.client_sums import Finding, client_sums

    return client_sums(task, build_model, Finding(_found, _zeros))


def _found(batch: Batch) -> Sums:
    import tensorflow as tf

    from fed_pretrain.curvature.loss_operators import inner_product

    with tf.GradientTape() as tape:
        sums = batch.statistics(batch.logits())
    gradients = tape.gradient(sums["loss_sum"], batch.variables, unconnected_gradients="zero")
    slope = inner_product(gradients, batch.vector)
    return collections.OrderedDict({name: sums[name] for name in _STATISTICS}, slope_sum=slope)


def _zeros(vector: Vector) -> Sums:
    import tensorflow as tf

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
) -> Content:
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


def beside_quadratic(content: Content, curvature: float) -> Content:
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
