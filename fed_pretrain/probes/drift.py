"""Client drift, and what averaging gains over the models it averages.

With x_i = x - Delta_i the weights client i reaches from the round's start x by the run's own client
update, p_i its share of the round's weights, and m the mean of x_i under p:

    drift             sqrt(sum_i p_i ||x_i - m||^2)
    relative drift    drift / sqrt(sum_i p_i ||Delta_i||^2), from 0 (all equal) to 1 (cancel out)
    aggregation gain  accuracy(m) - sum_i p_i accuracy(x_i), on the same evaluation examples
    loss gain         sum_i p_i loss(x_i) - loss(m)

m is what a server with plain averaging and rate 1 would adopt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.models.weights import Weights, moved
from fed_pretrain.probes.probe import Content, Probe, RoundObservation
from fed_pretrain.probes.subject import Subject
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fed_pretrain.tasks.evaluation import GlobalEvaluation

EVALUATION_EXAMPLES = 1000
_AVERAGE = "mean of the clients' models by their weights in the round, at a server rate of 1"


class Drift(Probe):
    """Columns of the probed rounds; the cohort's local work is done once more for them."""

    name = "drift"
    help = "how far local models part, and what averaging them gains"
    in_rounds = True

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._evaluate = evaluation(subject)

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        if not due or observation.updates is None:
            return {}
        return columns(observation.before, observation.updates(), self._evaluate)

    def measure(self) -> Content:
        """The columns of a run's drift, and each client's own row."""
        weights, coming = self.subject.model.weights, self.subject.coming_round()
        rows: list[dict[str, float]] = []
        found = columns(weights, coming.updates(), self._evaluate, rows.append)
        clients = zip(coming.client_ids, rows, strict=True)
        return {
            **found,
            "clients": [{"client": name, **row} for name, row in clients],
            "average": _AVERAGE,
            "servers_own": coming.servers_own,
            "before": self._evaluate(weights),
            "examples": EVALUATION_EXAMPLES,
            "unit": "drift and norm: Euclidean norm of the trainable weights; loss in nats a"
            " position and accuracy on the same evaluation examples; weight: in the round's mean",
            **coming.provenance(),
        }

    @staticmethod
    def draw(content: Mapping[str, Json]) -> Figure:
        """What each client's model reaches beside their mean, and how far it went."""
        from fed_pretrain.probes import drawing

        rows = content["clients"]
        made, (plots,) = drawing.panels(1, 2)
        numbers = np.arange(len(rows))
        for plot, name, label in zip(
            plots,
            ("accuracy", "norm"),
            ("evaluation accuracy", "Euclidean norm of the update"),
            strict=True,
        ):
            plot.bar(numbers, drawing.numbers([row[name] for row in rows]), color="0.75")
            plot.set(xlabel="client, in the cohort's order", ylabel=label)
            drawing.whole_numbers(plot.xaxis)
        lines = (
            ("weighted mean of their models", content.get("average_accuracy"), "-"),
            ("mean of the clients' own", content.get("local_accuracy"), "--"),
            ("before the round", content["before"]["accuracy"], ":"),
        )
        drawing.levels(plots[0], lines, "lower center")
        spread = (("drift, the spread about their weighted mean", content.get("drift"), "-"),)
        drawing.levels(plots[1], spread, "lower center")
        plots[0].set_title(f"clients' own models ({content['client_update']})")
        plots[1].set_title("how far they went, and apart")
        return drawing.marked(made, content)


def columns(
    weights: Weights,
    updates: Iterable[tuple[Sequence[np.ndarray], float]],
    evaluate: Callable[[Weights], dict[str, float]],
    on_client: Callable[[dict[str, float]], None] = lambda figures: None,
) -> dict[str, float]:
    """The columns of a round; holds one client's update at a time.

    `on_client` receives each client's own figures, in order.
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


def evaluation(subject: Subject) -> GlobalEvaluation:
    """Every local model is evaluated, so on few examples: a fixed draw of the split."""
    from fed_pretrain.tasks.evaluation import GlobalEvaluation

    return GlobalEvaluation(
        subject.task,
        subject.build_model,
        subject.eval_split,
        max_examples=EVALUATION_EXAMPLES,
        seed=subject.seed,
        device=subject.executor.server_device,
    )
