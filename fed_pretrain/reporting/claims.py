"""The ledger of claims: what the papers say, what this study measured, and an honest verdict.

Every claim is a statistic whose sign decides, computed once a seed from runs that share data,
cohorts and seed. The verdict follows from the 95 % interval of its mean over seeds (Student's t):
above zero the claim holds here, below zero it does not, and an interval that contains zero, or a
single seed, is not enough data. Claims about what training does are open, too, while the random
start has not left chance.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fed_pretrain.reporting.chance import left_chance
from fed_pretrain.reporting.part import significant
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.sections.effects import IID_NAMES, has_iid_pair
from fed_pretrain.reporting.statistics import Spread, spread

HOLDS = "holds"
FAILS = "does not hold"
OPEN = "not enough data here"

FIRST = "Where to Begin? (ICLR 2023)"
SECOND = "Initialization Matters (2502.08024)"


@dataclass(frozen=True)
class Verdict:
    claim: str
    paper: str
    place: str
    statistic: str
    measured: str
    verdict: str


# One value a seed, positive where the claim is right; empty where the study cannot say.
PerSeed = Callable[[Study, str, str, str], list[float]]


@dataclass(frozen=True)
class Claim:
    """`per_seed(study, task, random start, pre-trained start)`.

    needs_learning: compares what training did, so a random start still at chance decides nothing.
    """

    key: str
    sentence: str
    paper: str
    statistic: str
    per_seed: PerSeed
    needs_learning: bool = False


def ledger(study: Study) -> list[Verdict]:
    """A row per claim and (task, pre-trained start) that the study can speak about."""
    wanted = list(study.plan.get("claims") or ())
    chosen = [claim for claim in CLAIMS if not wanted or claim.key in wanted]
    return [verdict for claim in chosen for verdict in _verdicts(study, claim)]


def _verdicts(study: Study, claim: Claim) -> Iterator[Verdict]:
    for task in study.tasks:
        random_start = study.random_start(task)
        if random_start is None:
            continue
        for start in study.pretrained_starts(task):
            values = claim.per_seed(study, task, random_start, start)
            if values:
                verdict = judge(claim, f"{task}: {start} vs {random_start}", values)
                if claim.needs_learning and not left_chance(study, task, random_start):
                    told = f"{verdict.measured}; {random_start} stayed at chance"
                    verdict = replace(verdict, measured=told, verdict=OPEN)
                yield verdict


def judge(claim: Claim, place: str, values: Sequence[float]) -> Verdict:
    result = spread(values)
    return Verdict(
        claim.sentence, claim.paper, place, claim.statistic, _measured(result), _verdict(result)
    )


def _measured(result: Spread) -> str:
    if math.isnan(result.half_width):
        seeds = "1 seed" if result.count == 1 else f"{result.count} seeds"
        return f"{significant(result.mean)} ({seeds})"
    return (
        f"{significant(result.mean)} ± {significant(result.half_width)}"
        f" (95 %, {result.count} seeds)"
    )


def _verdict(result: Spread) -> str:
    if math.isnan(result.mean) or math.isnan(result.half_width):
        return OPEN
    if result.mean - result.half_width > 0:
        return HOLDS
    return FAILS if result.mean + result.half_width < 0 else OPEN


def _seeds(study: Study, **wanted: object) -> list[int]:
    return sorted(study.values("seed", **wanted))


def _by_seed(
    study: Study, task: str, both: tuple[str, str], value: Callable[[Run], float]
) -> list[tuple[float, float]]:
    """Mean over algorithms of a run's value, for the random and the pre-trained start."""
    pairs = []
    for seed in _seeds(study, task=task):
        sides = [
            spread([value(run) for run in study.select(task=task, start=start, seed=seed)]).mean
            for start in both
        ]
        if not any(math.isnan(side) for side in sides):
            pairs.append((sides[0], sides[1]))
    return pairs


def _accuracies(study: Study, task: str, start: str, seed: int) -> dict[str, float]:
    runs = study.select(task=task, start=start, seed=seed)
    by_algorithm: dict[str, list[float]] = {}
    for run in runs:
        by_algorithm.setdefault(run.algorithm, []).append(run.last(FINAL))
    return {name: spread(values).mean for name, values in by_algorithm.items()}


def _final_accuracy(study: Study, task: str, random_start: str, start: str) -> list[float]:
    pairs = _by_seed(study, task, (random_start, start), lambda run: run.last(FINAL))
    return [pre - random for random, pre in pairs]


def _spread_shrinks(study: Study, task: str, random_start: str, start: str) -> list[float]:
    values = []
    for seed in _seeds(study, task=task):
        sides = [list(_accuracies(study, task, s, seed).values()) for s in (random_start, start)]
        if all(len(side) >= 3 for side in sides):
            widths = [max(side) - min(side) for side in sides]
            values.append(widths[0] - widths[1])
    return values


def _adaptive_server(study: Study, task: str, random_start: str, start: str) -> list[float]:
    values = []
    for seed in _seeds(study, task=task):
        sides: dict[bool, list[float]] = {True: [], False: []}
        for run in study.select(task=task, start=start, seed=seed):
            sides[_server(run) in ("adam", "yogi", "adagrad", "adamw")].append(run.last(FINAL))
        if sides[True] and sides[False]:
            values.append(max(sides[True]) - max(sides[False]))
    return values


def _server(run: Run) -> str:
    return str(run.config.get("config", {}).get("algorithm", {}).get("server_optimizer", ""))


def _gap_shrinks(study: Study, task: str, random_start: str, start: str) -> list[float]:
    if not has_iid_pair(study, task):
        return []
    values = []
    for seed in _seeds(study, task=task):
        gaps = [_gap(study, task, one, seed) for one in (random_start, start)]
        if not any(math.isnan(gap) for gap in gaps):
            values.append(gaps[0] - gaps[1])
    return values


def _gap(study: Study, task: str, start: str, seed: int) -> float:
    sides: dict[bool, list[float]] = {True: [], False: []}
    for run in study.select(task=task, start=start, seed=seed):
        sides[run.coordinates.get("partition") in IID_NAMES].append(run.last(FINAL))
    return spread(sides[True]).mean - spread(sides[False]).mean


def _local_steps(study: Study, task: str, random_start: str, start: str) -> list[float]:
    """Loss of accuracy from fewest to most local steps: random minus pre-trained."""
    axis = next((n for n in study.plan.get("sweep", {}) if "epoch" in n or "step" in n), None)
    if axis is None:
        return []
    points = study.values(axis, task=task)
    values = []
    for seed in _seeds(study, task=task):
        drops = []
        for one in (random_start, start):
            ends = [
                spread(
                    [r.last(FINAL) for r in study.select(**_place(task, one, seed, axis, point))]
                ).mean
                for point in (points[0], points[-1])
            ]
            drops.append(ends[0] - ends[1])
        if not any(math.isnan(drop) for drop in drops):
            values.append(drops[0] - drops[1])
    return values


def _place(task: str, start: str, seed: int, axis: str, point: object) -> dict[str, object]:
    return {"task": task, "start": start, "seed": seed, axis: point}


def _column_mean(column: str, sign: float) -> PerSeed:
    def per_seed(study: Study, task: str, random_start: str, start: str) -> list[float]:
        def mean(run: Run) -> float:
            values = run.series(column)[1]
            return float(np.mean(values)) if values else math.nan

        pairs = _by_seed(study, task, (random_start, start), mean)
        return [sign * (pre - random) for random, pre in pairs]

    return per_seed


def _starts_nearer(study: Study, task: str, random_start: str, start: str) -> list[float]:
    pairs = _by_seed(study, task, (random_start, start), lambda run: run.first("distance_to_final"))
    return [random - pre for random, pre in pairs]


def _loss_not_lower(study: Study, task: str, random_start: str, start: str) -> list[float]:
    pairs = _by_seed(study, task, (random_start, start), lambda run: run.first("eval_loss"))
    return [pre - random for random, pre in pairs]


def top_eigenvalue(study: Study, task: str, start: str, seed: int) -> float:
    """The top Hessian eigenvalue at a start, where an analysis measured it and it converged."""
    for analysis in study.analyses:
        place = analysis.coordinates
        if (place["task"], place["start"], place["seed"]) == (task, start, seed):
            content = analysis.probe("eigenvalues")
            if content and "algorithm" not in place:
                return float(content["top"]["eigenvalues"][0])
    return math.nan


def _flatter(study: Study, task: str, random_start: str, start: str) -> list[float]:
    values = []
    for seed in sorted({a.coordinates["seed"] for a in study.analyses}):
        sides = [top_eigenvalue(study, task, one, seed) for one in (random_start, start)]
        if all(side > 0 for side in sides):
            values.append(math.log(sides[0] / sides[1]))
    return values


def misaligned_at_start(run: Run) -> float:
    content = run.probe("misalignment")
    return float(content["total"][0]) if content and content["total"] else math.nan


def _fewer_misaligned(study: Study, task: str, random_start: str, start: str) -> list[float]:
    pairs = _by_seed(study, task, (random_start, start), misaligned_at_start)
    return [random - pre for random, pre in pairs]


CLAIMS = (
    Claim(
        "accuracy",
        "A pre-trained start ends with higher accuracy.",
        FIRST,
        "mean over algorithms of final accuracy, pre-trained minus random",
        _final_accuracy,
    ),
    Claim(
        "spread",
        "With a pre-trained start the choice of algorithm matters less.",
        FIRST,
        "best minus worst algorithm: random minus pre-trained",
        _spread_shrinks,
        needs_learning=True,
    ),
    Claim(
        "adaptive_server",
        "With a pre-trained start an adaptive server is the choice that matters.",
        FIRST,
        "best adaptive minus best non-adaptive server, pre-trained start",
        _adaptive_server,
    ),
    Claim(
        "iid_gap",
        "Pre-training shrinks the gap between IID and non-IID data.",
        FIRST,
        "gap with random minus gap with pre-trained start",
        _gap_shrinks,
        needs_learning=True,
    ),
    Claim(
        "local_steps",
        "Pre-trained runs bear more local steps without losing accuracy.",
        FIRST,
        "accuracy lost from fewest to most local steps, random minus pre-trained",
        _local_steps,
        needs_learning=True,
    ),
    Claim(
        "start_loss",
        "A pre-trained start need not begin at a lower loss (holds where it is higher).",
        FIRST,
        "loss at round 0, pre-trained minus random",
        _loss_not_lower,
    ),
    Claim(
        "curvature",
        "The top Hessian eigenvalue is lower at a pre-trained start.",
        FIRST,
        "log of the ratio of top eigenvalues, random over pre-trained",
        _flatter,
    ),
    Claim(
        "cosine",
        "Client updates point more the same way from a pre-trained start.",
        FIRST,
        "mean pairwise cosine over all rounds, pre-trained minus random",
        _column_mean("mean_pairwise_cosine", 1.0),
    ),
    Claim(
        "diversity",
        "Gradient diversity is lower from a pre-trained start.",
        FIRST,
        "gradient diversity over all rounds, random minus pre-trained",
        _column_mean("gradient_diversity", -1.0),
    ),
    Claim(
        "distance",
        "A pre-trained start lies nearer to where training ends.",
        FIRST,
        "distance to the final weights at round 0, random minus pre-trained",
        _starts_nearer,
        needs_learning=True,
    ),
    Claim(
        "misaligned",
        "A pre-trained start has fewer misaligned filters (our surrogate measure).",
        SECOND,
        "misaligned fraction at round 0, random minus pre-trained",
        _fewer_misaligned,
        needs_learning=True,
    ),
)
