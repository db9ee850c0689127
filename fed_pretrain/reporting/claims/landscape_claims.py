"""Claims about where a start lies: its loss, curvature, alignment, distance and basin."""

import math
from collections.abc import Mapping

import numpy as np

from fed_pretrain.reporting.captions import IID_NAMES
from fed_pretrain.reporting.claims.claim import FIRST, SECOND, THIRD, Claim, PerSeed
from fed_pretrain.reporting.claims.pairing import (
    first,
    gains,
)
from fed_pretrain.reporting.results import Run, Study
from fed_pretrain.reporting.statistics import spread
from groundwork.untyped import Json


def lines_between(study: Study, task: str, start: str) -> dict[int, list[Mapping[str, Json]]]:
    """By seed: held-out figures on the lines between the final IID and non-IID models."""
    found: dict[int, list[Mapping[str, Json]]] = {}
    for analysis in study.analyses:
        place, content = analysis.coordinates, analysis.probe("landscape")
        wanted = study.plan["analyze"].get(place["analysis"], {})
        if (
            content
            and (place["task"], place["start"]) == (task, start)
            and wanted.get("beside") in IID_NAMES
        ):
            splits = content["splits"]
            held_out = next((name for name in splits if name != "train"), "train")
            found.setdefault(int(place["seed"]), []).append(splits[held_out])
    return found


def barriers(study: Study, task: str, start: str) -> dict[int, float]:
    """By seed: the rise of the loss on such a line above the straight one between its ends."""
    return {
        seed: spread([float(line["barrier"]) for line in lines]).mean
        for seed, lines in lines_between(study, task, start).items()
    }


def same_basin(study: Study, task: str, random_start: str, start: str) -> list[float]:
    sides = [barriers(study, task, one) for one in (random_start, start)]
    return [sides[0][seed] - sides[1][seed] for seed in sorted(set(sides[0]) & set(sides[1]))]


SAME_BASIN = Claim(
    "same_basin",
    "One loss basin",
    "IID and non-IID training from a pre-trained start end in one loss basin.",
    THIRD,
    "barrier between the two final models (nats): random minus pre-trained",
    same_basin,
    needs_learning=True,
    unit="nat",
    margin=0.05,
)


def loss_not_lower(study: Study, task: str, random_start: str, start: str) -> list[float]:
    return gains(study, task, (random_start, start), first("eval_loss"))


START_LOSS = Claim(
    "start_loss",
    "Higher loss at start",
    "A pre-trained start need not begin at a lower loss (holds where it is higher).",
    FIRST,
    "loss at round 0, pre-trained minus random",
    loss_not_lower,
    unit="nat",
    margin=0.05,
)


def top_eigenvalue(study: Study, task: str, start: str, seed: int) -> float:
    """The top Hessian eigenvalue at a start, where an analysis measured it and it converged."""
    for analysis in study.analyses:
        place = analysis.coordinates
        if (place["task"], place["start"], place["seed"]) == (task, start, seed):
            content = analysis.probe("eigenvalues")
            if content and "algorithm" not in place and content["top"]["converged"]:
                return float(content["top"]["eigenvalues"][0])
    return math.nan


def flatter(study: Study, task: str, random_start: str, start: str) -> list[float]:
    values = []
    for seed in sorted({a.coordinates["seed"] for a in study.analyses}):
        sides = [top_eigenvalue(study, task, one, seed) for one in (random_start, start)]
        if all(side > 0 for side in sides):
            values.append(math.log(sides[0] / sides[1]))
    return values


CURVATURE = Claim(
    "curvature",
    "Flatter start",
    "The top Hessian eigenvalue is lower at a pre-trained start.",
    FIRST,
    "log of the ratio of top eigenvalues, random over pre-trained",
    flatter,
    unit="log ratio",
    margin=math.log(1.25),
)


def column_mean(column: str, sign: float) -> PerSeed:
    def per_seed(study: Study, task: str, random_start: str, start: str) -> list[float]:
        def mean(run: Run) -> float:
            values = run.series(column)[1]
            return float(np.mean(values)) if values else math.nan

        return [sign * gain for gain in gains(study, task, (random_start, start), mean)]

    return per_seed


COSINE = Claim(
    "cosine",
    "Updates align more",
    "Client updates point more the same way from a pre-trained start.",
    FIRST,
    "mean pairwise cosine over all rounds, pre-trained minus random",
    column_mean("mean_pairwise_cosine", 1.0),
    needs_learning=True,
    unit="cosine",
    margin=0.01,
)


DIVERSITY = Claim(
    "diversity",
    "Lower gradient diversity",
    "Gradient diversity is lower from a pre-trained start.",
    FIRST,
    "gradient diversity over all rounds, random minus pre-trained",
    column_mean("gradient_diversity", -1.0),
    needs_learning=True,
    unit="diversity",
    margin=None,
)


def starts_nearer(study: Study, task: str, random_start: str, start: str) -> list[float]:
    value = first("distance_to_final")
    return [-gain for gain in gains(study, task, (random_start, start), value)]


DISTANCE = Claim(
    "distance",
    "Start is nearer",
    "A pre-trained start lies nearer to where training ends.",
    FIRST,
    "distance to the final weights at round 0, random minus pre-trained",
    starts_nearer,
    needs_learning=True,
    unit="distance",
    margin=None,
)


misaligned_at_start = first("misaligned_share")


def fewer_misaligned(study: Study, task: str, random_start: str, start: str) -> list[float]:
    return [-gain for gain in gains(study, task, (random_start, start), misaligned_at_start)]


MISALIGNED = Claim(
    "misaligned",
    "Fewer misaligned filters",
    "A pre-trained start has fewer misaligned filters (our surrogate measure).",
    SECOND,
    "misaligned fraction at round 0, random minus pre-trained",
    fewer_misaligned,
    needs_learning=True,
    unit="share of filters",
    margin=0.05,
)
