"""The statistics behind the claims: one value a seed, positive where the claim is right.

Each takes (study, task, random start, pre-trained start) and gives no value where the study cannot
say.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fed_pretrain.reporting.controls import IID_NAMES, has_iid_pair, subjects, works_unequally
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.statistics import Spread, kendall_tau_b, spread

PerSeed = Callable[[Study, str, str, str], list[float]]

ADAPTIVE = ("adam", "yogi", "adagrad", "adamw")
# "About as good" means worse by less than this.
MARGIN = 0.02


def _seeds(study: Study, **wanted: object) -> list[int]:
    return sorted(study.values("seed", **wanted))


def _by_seed(
    study: Study, task: str, both: tuple[str, str], value: Callable[[Run], float]
) -> list[tuple[float, float]]:
    """Mean over algorithms of a run's value, for the random and the pre-trained start."""
    pairs = []
    for seed in _seeds(study, task=task):
        sides = [
            spread([value(run) for run in subjects(study, task, start=start, seed=seed)]).mean
            for start in both
        ]
        if not any(math.isnan(side) for side in sides):
            pairs.append((sides[0], sides[1]))
    return pairs


def _accuracies(study: Study, task: str, start: str, seed: int) -> dict[str, float]:
    runs = subjects(study, task, start=start, seed=seed)
    by_algorithm: dict[str, list[float]] = {}
    for run in runs:
        by_algorithm.setdefault(run.algorithm, []).append(run.last(FINAL))
    return {name: spread(values).mean for name, values in by_algorithm.items()}


def paired_difference(
    first: Sequence[Run], second: Sequence[Run], value: Callable[[Run], float]
) -> Spread:
    """A value of the first runs minus the second ones', paired by seed."""
    pairs = [
        (one, other)
        for one in first
        for other in second
        if one.coordinates.get("seed") == other.coordinates.get("seed")
    ]
    return spread([value(one) - value(other) for one, other in pairs])


def final_accuracy(study: Study, task: str, random_start: str, start: str) -> list[float]:
    pairs = _by_seed(study, task, (random_start, start), lambda run: run.last(FINAL))
    return [pre - random for random, pre in pairs]


def spread_shrinks(study: Study, task: str, random_start: str, start: str) -> list[float]:
    values = []
    for seed in _seeds(study, task=task):
        sides = [list(_accuracies(study, task, s, seed).values()) for s in (random_start, start)]
        if all(len(side) >= 3 for side in sides):
            widths = [max(side) - min(side) for side in sides]
            values.append(widths[0] - widths[1])
    return values


def ranking_changes(study: Study, task: str, random_start: str, start: str) -> list[float]:
    """Against the noise of a ranking: how well two seeds of one start agree."""
    both, seeds = (random_start, start), _seeds(study, task=task)
    sides = {(one, seed): _accuracies(study, task, one, seed) for one in both for seed in seeds}
    names = set.intersection(*(set(side) for side in sides.values())) if sides else set()
    if len(names) < 3 or len(seeds) < 2:
        return []

    def agreement(first: tuple[str, int], second: tuple[str, int]) -> float:
        return kendall_tau_b(
            *([sides[one][name] for name in sorted(names)] for one in (first, second))
        )

    return [
        spread([agreement((one, seed), (one, s)) for one in both for s in seeds if s != seed]).mean
        - agreement((random_start, seed), (start, seed))
        for seed in seeds
    ]


def _best(runs: Iterable[Run]) -> float:
    return max((run.last(FINAL) for run in runs), default=math.nan)


def _difference_of_best(
    study: Study, task: str, start: str, first: Callable[[Run], bool], other: Callable[[Run], bool]
) -> list[float]:
    """The best accuracy of one kind of run minus the best of the other, seed by seed."""
    values = []
    for seed in _seeds(study, task=task):
        runs = subjects(study, task, start=start, seed=seed)
        values.append(_best(filter(first, runs)) - _best(filter(other, runs)))
    return [value for value in values if not math.isnan(value)]


def _chosen(run: Run, part: str) -> str:
    """The `client_update` or the `server_optimizer` of a run."""
    return str(run.config.get("config", {}).get("algorithm", {}).get(part, ""))


def _is_adaptive(run: Run) -> bool:
    return _chosen(run, "server_optimizer") in ADAPTIVE


def _has_client(*updates: str) -> Callable[[Run], bool]:
    return lambda run: _chosen(run, "client_update") in updates


def adaptive_server(study: Study, task: str, random_start: str, start: str) -> list[float]:
    return _difference_of_best(study, task, start, _is_adaptive, lambda run: not _is_adaptive(run))


def plain_adam_bears_unequal_work(
    study: Study, task: str, random_start: str, start: str
) -> list[float]:
    def adam_with(*updates: str) -> Callable[[Run], bool]:
        return lambda run: works_unequally(run) and _is_adaptive(run) and _has_client(*updates)(run)

    others = adam_with("nova", "proximal", "mimelite")
    return _difference_of_best(study, task, start, adam_with("sgd"), others)


def normalising_helps_random(study: Study, task: str, random_start: str, start: str) -> list[float]:
    def unequal_with(update: str) -> Callable[[Run], bool]:
        return lambda run: works_unequally(run) and _has_client(update)(run)

    return _difference_of_best(study, task, random_start, unequal_with("nova"), unequal_with("sgd"))


def full_batch_is_enough(study: Study, task: str, random_start: str, start: str) -> list[float]:
    def adam_with(update: str) -> Callable[[Run], bool]:
        return lambda run: _is_adaptive(run) and _has_client(update)(run)

    differences = _difference_of_best(study, task, start, adam_with("gd"), adam_with("sgd"))
    return [value + MARGIN for value in differences]


def gap_shrinks(study: Study, task: str, random_start: str, start: str) -> list[float]:
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


def local_steps(study: Study, task: str, random_start: str, start: str) -> list[float]:
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


def column_mean(column: str, sign: float) -> PerSeed:
    def per_seed(study: Study, task: str, random_start: str, start: str) -> list[float]:
        def mean(run: Run) -> float:
            values = run.series(column)[1]
            return float(np.mean(values)) if values else math.nan

        pairs = _by_seed(study, task, (random_start, start), mean)
        return [sign * (pre - random) for random, pre in pairs]

    return per_seed


def starts_nearer(study: Study, task: str, random_start: str, start: str) -> list[float]:
    pairs = _by_seed(study, task, (random_start, start), lambda run: run.first("distance_to_final"))
    return [random - pre for random, pre in pairs]


def loss_not_lower(study: Study, task: str, random_start: str, start: str) -> list[float]:
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


def flatter(study: Study, task: str, random_start: str, start: str) -> list[float]:
    values = []
    for seed in sorted({a.coordinates["seed"] for a in study.analyses}):
        sides = [top_eigenvalue(study, task, one, seed) for one in (random_start, start)]
        if all(side > 0 for side in sides):
            values.append(math.log(sides[0] / sides[1]))
    return values


def lines_between(study: Study, task: str, start: str) -> dict[int, Mapping[str, Any]]:
    """By seed: held-out figures on the line between the final IID and non-IID models."""
    found = {}
    for analysis in study.analyses:
        place, content = analysis.coordinates, analysis.probe("landscape")
        if content and (place["task"], place["start"]) == (task, start):
            splits = content["splits"]
            held_out = next((name for name in splits if name != "train"), "train")
            found[int(place["seed"])] = splits[held_out]
    return found


def barriers(study: Study, task: str, start: str) -> dict[int, float]:
    """By seed: the rise of the loss on that line above the straight line between its ends."""
    return {
        seed: float(line["barrier"]) for seed, line in lines_between(study, task, start).items()
    }


def same_basin(study: Study, task: str, random_start: str, start: str) -> list[float]:
    sides = [barriers(study, task, one) for one in (random_start, start)]
    return [sides[0][seed] - sides[1][seed] for seed in sorted(set(sides[0]) & set(sides[1]))]


def misaligned_at_start(run: Run) -> float:
    return run.first("misaligned_share")


def fewer_misaligned(study: Study, task: str, random_start: str, start: str) -> list[float]:
    pairs = _by_seed(study, task, (random_start, start), misaligned_at_start)
    return [random - pre for random, pre in pairs]
