"""The statistics behind the claims: one value a seed, positive where the claim is right.

Each takes (study, task, random start, pre-trained start) and gives no value where the study cannot
say.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from fed_pretrain.reporting.captions import IID_NAMES, has_iid_pair, subjects, works_unequally
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.statistics import Spread, kendall_tau_b, spread

PerSeed = Callable[[Study, str, str, str], list[float]]

ADAPTIVE = ("adam", "yogi", "adagrad", "adamw")
# "About as good" means worse by less than this.
MARGIN = 0.02


def _seeds(study: Study, **wanted: object) -> list[int]:
    return sorted(study.values("seed", **wanted))


def pairs(first: Iterable[Run], second: Iterable[Run], apart: str) -> list[tuple[Run, Run]]:
    """Runs that stand at the same place of the grid but for the coordinate they are compared in."""

    def place(run: Run) -> frozenset[tuple[str, object]]:
        return frozenset((k, v) for k, v in run.coordinates.items() if k != apart)

    others = {place(run): run for run in second}
    return [(run, others[place(run)]) for run in first if place(run) in others]


def paired_difference(
    first: Iterable[Run], second: Iterable[Run], apart: str, value: Callable[[Run], float]
) -> Spread:
    """A value of the first runs minus the second ones', over seeds."""
    by_seed: dict[object, list[float]] = {}
    for one, other in pairs(first, second, apart):
        by_seed.setdefault(one.coordinates["seed"], []).append(value(one) - value(other))
    return spread([spread(values).mean for values in by_seed.values()])


def _gains(
    study: Study, task: str, both: tuple[str, str], value: Callable[[Run], float]
) -> list[float]:
    """By seed: the pre-trained runs' value minus the random ones', each beside its like."""
    gains = []
    for seed in _seeds(study, task=task):
        random, pretrained = (subjects(study, task, start=start, seed=seed) for start in both)
        gain = paired_difference(pretrained, random, "start", value).mean
        if not math.isnan(gain):
            gains.append(gain)
    return gains


def _accuracies(study: Study, task: str, start: str, seed: int) -> dict[str, float]:
    runs = subjects(study, task, start=start, seed=seed)
    by_algorithm: dict[str, list[float]] = {}
    for run in runs:
        by_algorithm.setdefault(run.algorithm, []).append(run.last(FINAL))
    return {name: spread(values).mean for name, values in by_algorithm.items()}


def final_accuracy(study: Study, task: str, random_start: str, start: str) -> list[float]:
    return _gains(study, task, (random_start, start), lambda run: run.last(FINAL))


def spread_shrinks(study: Study, task: str, random_start: str, start: str) -> list[float]:
    values = []
    for seed in _seeds(study, task=task):
        sides = [list(_accuracies(study, task, s, seed).values()) for s in (random_start, start)]
        if all(len(side) >= 3 for side in sides):
            widths = [max(side) - min(side) for side in sides]
            values.append(widths[0] - widths[1])
    return values


def ranking_changes(study: Study, task: str, random_start: str, start: str) -> list[float]:
    """One value a pair of seeds, each seed in one pair: the noise of a ranking comes from seeds."""
    both, seeds = (random_start, start), _seeds(study, task=task)
    sides = {(one, seed): _accuracies(study, task, one, seed) for one in both for seed in seeds}
    names = sorted(set.intersection(*(set(side) for side in sides.values()))) if sides else []
    if len(names) < 3:
        return []

    def agreement(first: tuple[str, int], second: tuple[str, int]) -> float:
        return kendall_tau_b(*([sides[one][name] for name in names] for one in (first, second)))

    def value(seed: int, other: int) -> float:
        within = spread([agreement((one, seed), (one, other)) for one in both])
        across = spread([agreement((random_start, s), (start, s)) for s in (seed, other)])
        return within.mean - across.mean

    return [value(*pair) for pair in zip(seeds[::2], seeds[1::2], strict=False)]


def _best(runs: Iterable[Run]) -> float:
    finals = [run.last(FINAL) for run in runs]
    return max((final for final in finals if math.isfinite(final)), default=math.nan)


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
    gaps = [_gaps(study, task, one) for one in (random_start, start)]
    return [gaps[0][seed] - gaps[1][seed] for seed in gaps[0] if seed in gaps[1]]


def _gaps(study: Study, task: str, start: str) -> dict[int, float]:
    """By seed: accuracy on the IID control minus accuracy on the rest."""
    found = {}
    for seed in _seeds(study, task=task):
        runs = study.select(task=task, start=start, seed=seed)
        sides: list[list[Run]] = [[], []]
        for run in runs:
            sides[run.coordinates.get("partition") not in IID_NAMES].append(run)
        gap = paired_difference(sides[0], sides[1], "partition", lambda run: run.last(FINAL)).mean
        if not math.isnan(gap):
            found[seed] = gap
    return found


def pretrained_bears_local_steps(
    study: Study, task: str, random_start: str, start: str
) -> list[float]:
    return [MARGIN - drop for drop in _lost_to_local_steps(study, task, start)]


def random_loses_by_local_steps(
    study: Study, task: str, random_start: str, start: str
) -> list[float]:
    return _lost_to_local_steps(study, task, random_start)


def _lost_to_local_steps(study: Study, task: str, start: str) -> list[float]:
    """By seed: accuracy with the fewest local steps of a sweep minus that with the most."""
    axis = next((n for n in study.plan.get("sweep", {}) if "epoch" in n or "step" in n), None)
    if axis is None:
        return []
    points = sorted(study.values(axis, task=task), key=lambda point: _work(study, axis, point))
    drops = []
    for seed in _seeds(study, task=task):
        fewest, most = (
            subjects(study, task, start=start, seed=seed, **{axis: point})
            for point in (points[0], points[-1])
        )
        drop = paired_difference(fewest, most, axis, lambda run: run.last(FINAL)).mean
        if not math.isnan(drop):
            drops.append(drop)
    return drops


def _work(study: Study, axis: str, point: str) -> float:
    """How much local work a point of the axis sets."""
    flags = study.plan["sweep"][axis].get(point, {})
    return float(next((flags[name] for name in ("epochs", "local_steps") if name in flags), 0.0))


def column_mean(column: str, sign: float) -> PerSeed:
    def per_seed(study: Study, task: str, random_start: str, start: str) -> list[float]:
        def mean(run: Run) -> float:
            values = run.series(column)[1]
            return float(np.mean(values)) if values else math.nan

        return [sign * gain for gain in _gains(study, task, (random_start, start), mean)]

    return per_seed


def starts_nearer(study: Study, task: str, random_start: str, start: str) -> list[float]:
    value = _first("distance_to_final")
    return [-gain for gain in _gains(study, task, (random_start, start), value)]


def _first(column: str) -> Callable[[Run], float]:
    return lambda run: run.first(column)


def loss_not_lower(study: Study, task: str, random_start: str, start: str) -> list[float]:
    return _gains(study, task, (random_start, start), _first("eval_loss"))


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


def lines_between(study: Study, task: str, start: str) -> dict[int, list[Mapping[str, Any]]]:
    """By seed: held-out figures on the lines between the final IID and non-IID models."""
    found: dict[int, list[Mapping[str, Any]]] = {}
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


misaligned_at_start = _first("misaligned_share")


def fewer_misaligned(study: Study, task: str, random_start: str, start: str) -> list[float]:
    return [-gain for gain in _gains(study, task, (random_start, start), misaligned_at_start)]
