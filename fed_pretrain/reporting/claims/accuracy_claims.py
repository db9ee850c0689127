"""Claims about how accurate training ends, and on what data."""

import math

from fed_pretrain.reporting.captions import IID_NAMES, has_iid_pair, subjects
from fed_pretrain.reporting.claims.claim import FIRST, MARGIN, Claim
from fed_pretrain.reporting.claims.pairing import (
    gains,
    paired_difference,
    seeds,
)
from fed_pretrain.reporting.results import FINAL, Run, Study


def final_accuracy(study: Study, task: str, random_start: str, start: str) -> list[float]:
    return gains(study, task, (random_start, start), lambda run: run.last(FINAL))


ACCURACY = Claim(
    "accuracy",
    "Higher final accuracy",
    "A pre-trained start ends with higher accuracy.",
    FIRST,
    "final accuracy, pre-trained minus random, mean over algorithms and points of a sweep",
    final_accuracy,
)


def gap_shrinks(study: Study, task: str, random_start: str, start: str) -> list[float]:
    if not has_iid_pair(study, task):
        return []
    gaps = [_gaps(study, task, one) for one in (random_start, start)]
    return [gaps[0][seed] - gaps[1][seed] for seed in gaps[0] if seed in gaps[1]]


def _gaps(study: Study, task: str, start: str) -> dict[int, float]:
    """By seed: accuracy on the IID control minus accuracy on the rest."""
    found = {}
    for seed in seeds(study, task=task):
        runs = study.select(task=task, start=start, seed=seed)
        sides: list[list[Run]] = [[], []]
        for run in runs:
            sides[run.coordinates.get("partition") not in IID_NAMES].append(run)
        gap = paired_difference(sides[0], sides[1], "partition", lambda run: run.last(FINAL)).mean
        if not math.isnan(gap):
            found[seed] = gap
    return found


IID_GAP = Claim(
    "iid_gap",
    "Smaller non-IID gap",
    "Pre-training shrinks the gap between IID and non-IID data.",
    FIRST,
    "gap with random minus gap with pre-trained start",
    gap_shrinks,
    needs_learning=True,
)


def pretrained_bears_local_steps(
    study: Study, task: str, random_start: str, start: str
) -> list[float]:
    return [MARGIN - drop for drop in _lost_to_local_steps(study, task, start)]


LOCAL_STEPS = Claim(
    "local_steps",
    "Bears more local steps",
    "Pre-trained runs tolerate more local steps without losing accuracy.",
    FIRST,
    f"final accuracy, pre-trained start: most minus fewest local steps, plus {MARGIN}",
    pretrained_bears_local_steps,
)


def random_loses_by_local_steps(
    study: Study, task: str, random_start: str, start: str
) -> list[float]:
    return _lost_to_local_steps(study, task, random_start)


LOCAL_STEPS_RANDOM = Claim(
    "local_steps_random",
    "Local steps cost random",
    "From random weights more local steps cost accuracy.",
    FIRST,
    "final accuracy, random start: fewest minus most local steps",
    random_loses_by_local_steps,
    needs_learning=True,
)


def _lost_to_local_steps(study: Study, task: str, start: str) -> list[float]:
    """By seed: accuracy with the fewest local steps of a sweep minus that with the most."""
    axis = next((n for n in study.plan.get("sweep", {}) if "epoch" in n or "step" in n), None)
    if axis is None:
        return []
    points = sorted(study.values(axis, task=task), key=lambda point: _work(study, axis, point))
    drops = []
    for seed in seeds(study, task=task):
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
