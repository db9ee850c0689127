"""Claims about the way from a start: how client updates agree, how far it is, what has to turn.

All of these follow the learning rates, and the starts of a study have their own rates. So they
are judged where both starts ran at each of the two rates (a plan's `equal_rates`), and need the
same answer at both. Without that control the sign is seen, or not, at the rates the starts had.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fed_pretrain.reporting.claims import finding, guards
from fed_pretrain.reporting.claims.accuracy_claims import by_seed
from fed_pretrain.reporting.claims.block import Block, Measure
from fed_pretrain.reporting.claims.claim import FIRST, SECOND, Claim, Statistic, Where
from fed_pretrain.reporting.claims.finding import Finding, Interval
from fed_pretrain.reporting.inference.student import Sides
from fed_pretrain.reporting.numbers import signed
from fed_pretrain.reporting.results import Run


def beside_like(measure: Measure, sign: float, margin: float) -> Statistic:
    """The statistic `sign` × (pre-trained minus random) of a figure of a run."""

    def statistic(where: Where) -> Finding | None:
        block = where.starts
        if not block or not any(math.isfinite(measure(run)) for run in block.runs(where.start)):
            return None
        crossed = [_at_rates_of(where, rates) for rates in where.both]
        compared = [_compared(where, one, measure, sign, margin) for one in crossed if one]
        usable = [one for one in compared if one is not None]
        if len(usable) == 2:
            return _at_both(where, usable)
        if usable:
            only = next(i for i, one in enumerate(compared) if one is not None)
            rates = [name for name, one in zip(where.both, crossed, strict=True) if one][only]
            words = f"at the rates of {where.called(rates)} only: elsewhere a start does not train"
            return finding.as_existential(usable[0]).beside(notes=[words])
        result = _guarded(where, block, measure, sign, margin)
        return finding.as_existential(result).beside(notes=[_own_rates(block)])

    return statistic


def _own_rates(block: Block) -> str:
    names = ("client_learning_rate", "server_learning_rate")
    by_side = [
        {tuple(run.chosen.get(name) for name in names) for run in block.runs(side)}
        for side in block.cells
    ]
    if by_side[0] == by_side[1]:
        return "at one rate only, the same for both starts"
    return "each start at its own rates, which this figure follows"


def _at_rates_of(where: Where, rates: str) -> Block | None:
    """Both starts at the rates of one of them."""
    from fed_pretrain.reporting.captions import subjects

    controls = replace(where.study, runs=where.study.controls)
    algorithms = {run.algorithm for run in where.study.controls}
    sides = {}
    for start in where.both:
        if start == rates:
            own = where.runs(start)
            sides[start] = [run for run in own if run.algorithm in algorithms]
        else:
            sides[start] = subjects(controls, where.task, start=start, rates=rates)
    block = where.aligned(sides, ["start", "rates"])
    return block or None


def _compared(
    where: Where, block: Block, measure: Measure, sign: float, margin: float
) -> Finding | None:
    """None where a start does not train at these rates."""
    result = _guarded(where, block, measure, sign, margin)
    trains = all(guard.likely for guard in result.guards)
    return result if trains and len(result.values) > 1 else None


def _guarded(where: Where, block: Block, measure: Measure, sign: float, margin: float) -> Finding:
    """The figure over the seeds that train in both starts; failed runs must not turn its sign."""
    failed = guards.failures(block, where.both, where.chance)
    bad = set.union(*failed.values())
    good = block.of_seeds(seed for seed in block.seeds if seed not in bad)
    notes = [*block.left_out, *guards.failure_note(where, failed, len(block.seeds))]
    if not good:
        return finding.nothing("no seed is without a failed run").beside(notes=notes)
    random, start = (good.values(side, measure) for side in where.both)
    z = sign * (start - random).mean(axis=1)
    result = finding.of_values(by_seed(good, z), margin)
    conditions = [
        guards.trained(where.called(side), good.values(side), where.chance) for side in where.both
    ]
    finite = z[np.isfinite(z)]
    if bad and len(finite) and abs(finite.sum()) <= len(bad) * np.abs(finite).max():
        conditions.append(finding.broken("the failed runs could turn its sign"))
    if len(finite) > 1 and np.ptp(finite) == 0 and finite[0] != 0:
        conditions.append(finding.broken("seeds change nothing: the figure is equal in all"))
    return result.beside(conditions, notes)


def _at_both(where: Where, findings: Sequence[Finding]) -> Finding:
    """A sign, or an equivalence, that is proven at each of the two rates."""
    first, other = findings
    seeds = [seed for seed in first.values if seed in other.values]

    def bounds(level: float) -> Interval | None:
        ends = [one.bounds(level) for one in findings]
        if ends[0] is None or ends[1] is None:
            return None
        return min(ends[0][0], ends[1][0]), max(ends[0][1], ends[1][1])

    sides = (one.sides for one in findings)
    up, down, same = zip(*((s.up, s.down, s.same) for s in sides), strict=True)
    told = ", ".join(
        f"{signed(one.estimate, 3)} at the rates of {where.called(start)}"
        for one, start in zip(findings, where.both, strict=True)
    )
    return Finding(
        {seed: (first.values[seed] + other.values[seed]) / 2 for seed in seeds},
        (first.estimate + other.estimate) / 2,
        Sides(max(up), max(down), max(same)),
        bounds,
        guards=[*first.guards, *other.guards],
        notes=[*dict.fromkeys([*first.notes, *other.notes]), told],
    )


def mean_of(column: str, of: Callable[[float], float] = float) -> Measure:
    """The mean over all rounds that have the column."""

    def measure(run: Run) -> float:
        values = run.series(column)[1]
        return float(np.mean([of(value) for value in values])) if values else math.nan

    return measure


def log(value: float) -> float:
    return math.log(value) if value > 0 else math.nan


def log_distance(run: Run) -> float:
    return log(run.first("distance_to_final"))


def nearer(where: Where) -> Finding | None:
    found = beside_like(log_distance, -1.0, _RATIO)(where)
    return None if found is None else found.beside(notes=_straightness(where))


def _straightness(where: Where) -> list[str]:
    """How much of its path a start got away by: a constant rate cancels."""
    told = []
    for start in where.both:
        runs = where.starts.runs(start)
        shares = [_share_of_path(run) for run in runs]
        if not runs or not np.isfinite(shares).all():
            return []
        told.append(f"{np.mean(shares):.2f} from {where.called(start)}")
    return [f"distance over the length of the path: {', '.join(told)}"]


def _share_of_path(run: Run) -> float:
    path = sum(run.series("distance_moved")[1])
    return run.first("distance_to_final") / path if path else math.nan


def misaligned_beyond_chance(run: Run) -> float:
    """The share at round 0 less that of a random step of the same length from the same weights."""
    share = run.first("misaligned_share")
    content = run.probe("misalignment") or {}
    by_chance = content.get("random_step")
    return share if by_chance is None else share - float(by_chance)


COSINE = Claim(
    "cosine",
    "Updates align more",
    "Client updates point more the same way from a pre-trained start.",
    FIRST,
    "mean pairwise cosine over all rounds, pre-trained minus random",
    beside_like(mean_of("mean_pairwise_cosine"), 1.0, 0.01),
    unit="cosine",
    margin=0.01,
    probe="alignment",
)

_RATIO = math.log(1.1)

DIVERSITY = Claim(
    "diversity",
    "Lower gradient diversity",
    "Gradient diversity is lower from a pre-trained start.",
    FIRST,
    "mean log of the gradient diversity over all rounds, random minus pre-trained",
    beside_like(mean_of("gradient_diversity", log), -1.0, _RATIO),
    unit="log ratio",
    margin=_RATIO,
    probe="alignment",
)

DISTANCE = Claim(
    "distance",
    "Start is nearer",
    "A pre-trained start is nearer to where training ends.",
    FIRST,
    "log of the ratio of distances from the start to the final weights, random over pre-trained",
    nearer,
    unit="log ratio",
    margin=_RATIO,
    probe="distance",
)

MISALIGNED = Claim(
    "misaligned",
    "Fewer misaligned filters",
    "A pre-trained start has fewer misaligned filters (our surrogate measure).",
    SECOND,
    "misaligned share at round 0 beyond that of a random step as long, random minus pre-trained",
    beside_like(misaligned_beyond_chance, -1.0, 0.05),
    unit="share of filters",
    margin=0.05,
    probe="misalignment",
)
