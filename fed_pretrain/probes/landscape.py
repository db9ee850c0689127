"""The loss along the line through two models, and the barrier between them.

barrier = max over a in [0, 1] of L(w_a) - ((1 - a) L(w_0) + a L(w_1)), w_a = (1 - a) w_0 + a w_1
(Frankle et al. 2020; Garipov et al. 2018 without the curve). Of the accuracy with the sign turned.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.clients.local_work import TRAIN_SPLIT
from fed_pretrain.curvature.curvature_config import number_of_examples
from fed_pretrain.models.weights import Weights, mixture
from fed_pretrain.probes.probe import Content, Probe
from fed_pretrain.probes.subject import Subject
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Evaluate = Callable[[Weights], dict[str, float]]
UNIT = "loss in nats a position, accuracy as a share"


@dataclasses.dataclass(frozen=True)
class LandscapeOptions:
    """How finely the loss is looked at between and around models, and on how many examples."""

    points: int = dataclasses.field(
        default=11,
        metadata={
            "help": "Of landscape: points between the models; of eigenvector: on a side.",
            "lower_bound": 2,
        },
    )
    beyond: float = dataclasses.field(default=0.5, metadata={"flag": None})
    examples: str = dataclasses.field(
        default="2000",
        metadata={
            "help": "Of landscape and plane: examples of each split, or `all`.",
            "flag": "landscape_examples",
        },
    )

    def __post_init__(self) -> None:
        _ = self.number_of_examples

    @property
    def number_of_examples(self) -> int | None:
        """None is every example."""
        return number_of_examples("landscape_examples", self.examples)


class Landscape(Probe):
    """From the start, or from another run's weights, to the subject's."""

    name = "landscape"
    help = "the loss on the line between two models, and its barrier"
    needs = ("run or other_run",)
    asks_for = "needs two ends: give --run=DIR (and --other_run=DIR)"
    options = (LandscapeOptions,)

    def measure(self) -> Content:
        subject, options = self.subject, self.subject.option(LandscapeOptions)
        first = subject.others.get("other_run", subject.start)
        ends = (first.weights, subject.model.weights)
        splits = {
            split: interpolate(*ends, evaluate, options.points, options.beyond)
            for split, evaluate in evaluations(subject).items()
        }
        return {
            "first": first.name,
            "second": subject.model.name,
            "splits": splits,
            "examples": options.number_of_examples,
            "unit": f"{UNIT}; shares of the way from first to second;"
            " barrier: rise of the loss above the straight line between the ends",
        }

    @staticmethod
    def draw(content: Mapping[str, Json]) -> "Figure":
        """Loss above, accuracy below, the two models as dotted lines."""
        from fed_pretrain.probes import drawing

        made, plots = drawing.panels(2, 1, height=3.0)
        for (plot,), figure, sign in zip(
            plots, ("loss", "accuracy"), ("", "accuracy_"), strict=True
        ):
            for colour, (split, one) in zip(
                drawing.COLOURS, content["splits"].items(), strict=False
            ):
                label = f"{split}, barrier {one[f'{sign}barrier']:.3g}"
                values = drawing.numbers(one[figure])
                plot.plot(one["shares"], values, marker=".", color=colour, label=label)
            for share in (0.0, 1.0):
                plot.axvline(share, color="0.5", linestyle=":", linewidth=1)
            plot.legend(fontsize="small")
        plots[0, 0].set(ylabel="loss (nats)", title="on the line through two models")
        ends = f"0: {content['first']}    1: {content['second']}"
        plots[1, 0].set(ylabel="accuracy", xlabel=f"share of the way\n{ends}")
        return made


def evaluations(subject: Subject) -> dict[str, Evaluate]:
    """The pooled loss and accuracy of a draw of each split."""
    from fed_pretrain.tasks.evaluation import GlobalEvaluation

    return {
        split: GlobalEvaluation(
            subject.task,
            subject.build_model,
            split,
            max_examples=subject.option(LandscapeOptions).number_of_examples,
            seed=subject.seed,
            device=subject.executor.server_device,
        )
        for split in (TRAIN_SPLIT, subject.eval_split)
    }


def barrier(shares: Sequence[float], values: Sequence[float]) -> float:
    """How far values rise above the straight line between the models; 0 when they do not.

    Shares outside [0, 1] do not count; 0 and 1 are among the shares.
    """
    along, found = np.asarray(shares), np.asarray(values)
    first, last = found[along == 0.0][0], found[along == 1.0][0]
    between = (along >= 0.0) & (along <= 1.0)
    line = (1 - along) * first + along * last
    return float(np.max((found - line)[between]))


def interpolate(
    first: Weights, second: Weights, evaluate: Evaluate, points: int = 11, beyond: float = 0.0
) -> Content:
    """`evaluate` gives the figures (loss, accuracy) of weights; the ends count as points.

    The line goes on past both ends by about `beyond` times its length, in equal steps.
    """
    steps = points - 1
    outside = round(beyond * steps)
    shares = [step / steps for step in range(-outside, steps + outside + 1)]
    rows = [evaluate(mixture((first, second), (1 - share, share))) for share in shares]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    content = {"shares": shares, **columns, "barrier": barrier(shares, columns["loss"])}
    if "accuracy" in columns:
        content["accuracy_barrier"] = barrier(shares, [-value for value in columns["accuracy"]])
    return content
