"""Claims about how accurate training ends, and on what data."""

import numpy as np

from fed_pretrain.reporting.captions import IID_NAMES, has_iid_pair, subjects
from fed_pretrain.reporting.claims import finding, guards
from fed_pretrain.reporting.claims.block import Block
from fed_pretrain.reporting.claims.claim import FIRST, MARGIN, Claim, Where
from fed_pretrain.reporting.claims.finding import Finding
from fed_pretrain.reporting.claims.guards import Ends
from fed_pretrain.reporting.results import Run, Study, begun


def by_seed(block: Block, z: np.ndarray) -> dict[int, float]:
    return {seed: float(value) for seed, value in zip(block.seeds, z, strict=True)}


def final_accuracy(where: Where) -> Finding | None:
    block, (random, start) = where.starts, where.both
    if not block:
        return None

    def test(good: Block, ends: Ends) -> Finding:
        z = (ends[start] - ends[random]).mean(axis=1)
        result = finding.of_values(by_seed(good, z), MARGIN, where.chance.floor)
        return result.beside(notes=guards.other_examples(where, ends))

    result = guards.over_seeds_that_train(where, block, test)
    return result.beside(notes=guards.still_rising(where, block, where.both, MARGIN))


ACCURACY = Claim(
    "accuracy",
    "Higher final accuracy",
    "A pre-trained start ends with higher accuracy.",
    FIRST,
    "final accuracy, pre-trained minus random, mean over algorithms and points of a sweep",
    final_accuracy,
)


def with_iid(where: Where, study: Study) -> dict[str, list[Run]]:
    """Both starts, each on IID and on non-IID data."""
    return {
        f"{where.called(start)}, {kind}": [
            run
            for run in study.select(task=where.task, start=start)
            if (run.coordinates.get("partition") in IID_NAMES) == (kind == "IID")
        ]
        for start in where.both
        for kind in ("IID", "non-IID")
    }


def gap_shrinks(where: Where) -> Finding | None:
    if not has_iid_pair(where.study, where.task):
        return None
    sides = with_iid(where, where.everything)
    block = where.aligned(sides, ["start", "partition"])
    if not block:
        return None

    def test(good: Block, ends: Ends) -> Finding:
        iid_random, other_random, iid, other = (ends[side] for side in sides)
        z = ((iid_random - other_random) - (iid - other)).mean(axis=1)
        result = finding.of_values(by_seed(good, z), MARGIN, 2 * where.chance.floor)
        random, start = where.both
        scale = logit(iid_random) - logit(other_random) - logit(iid) + logit(other)
        return result.beside(
            [
                guards.trained(f"{where.called(random)} on IID data", iid_random, where.chance),
                guards.trained(f"{where.called(start)} on IID data", iid, where.chance),
                *on_another_scale(result, float(scale.mean())),
            ],
            guards.other_examples(where, ends),
        )

    return guards.over_seeds_that_train(where, block, test)


def logit(accuracy: np.ndarray) -> np.ndarray:
    inside = np.clip(accuracy, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(inside / (1 - inside)))


def on_another_scale(result: Finding, estimate: float) -> list[finding.Guard]:
    """Differences of differences mean little where the logit scale has them the other way."""
    if estimate * result.estimate < 0:
        return [finding.broken("it depends on the scale: on the logit scale the sign is the other")]
    return []


IID_GAP = Claim(
    "iid_gap",
    "Smaller non-IID gap",
    "Pre-training shrinks the gap between IID and non-IID data.",
    FIRST,
    "gap with random minus gap with pre-trained start",
    gap_shrinks,
)


def _local_work(where: Where, start: str) -> Block | None:
    """The runs with the fewest and with the most local steps of a sweep."""
    axis = next((n for n in where.study.plan.get("sweep", {}) if "epoch" in n or "step" in n), None)
    if axis is None:
        return None
    points = where.study.values(axis, task=where.task)
    points = sorted(points, key=lambda point: _work(where.study, axis, point))
    if len(points) < 2:
        return None
    sides = {
        name: subjects(where.everything, where.task, start=start, **{axis: point})
        for name, point in (("fewest steps", points[0]), ("most steps", points[-1]))
    }
    block = where.aligned(sides, [axis])
    return block or None


def _work(study: Study, axis: str, point: str) -> float:
    """How much local work a point of the axis sets."""
    flags = study.plan["sweep"][axis].get(point, {})
    return float(next((flags[name] for name in ("epochs", "local_steps") if name in flags), 0.0))


def pretrained_tolerates_local_steps(where: Where) -> Finding | None:
    block = _local_work(where, where.start)
    if block is None:
        return None

    def test(good: Block, ends: Ends) -> Finding:
        z = (ends["most steps"] - ends["fewest steps"]).mean(axis=1)
        return not_worse(by_seed(good, z), where).beside(
            learned(where, good, "fewest steps", ends["fewest steps"]),
            guards.other_examples(where, ends),
        )

    return guards.over_seeds_that_train(where, block, test)


def not_worse(values: dict[int, float], where: Where) -> Finding:
    """Not worse by more than the margin; that it is within it on both sides, or better, is said."""
    result = finding.of_values(values, None, where.chance.floor, shift=MARGIN)
    plain = finding.of_values(values, MARGIN, where.chance.floor)
    told = []
    if float(plain.sides.same) <= 0.025:
        told.append(f"the same within {MARGIN} (this row alone)")
    elif float(plain.sides.up) <= 0.025:
        told.append("better, even (this row alone)")
    return result.beside(notes=told)


def learned(where: Where, block: Block, side: str, y: np.ndarray) -> list[finding.Guard]:
    """The reference of an "about as good": it has been trained, and has left its start."""
    name = where.called(where.start)
    name = name if side == where.start else f"{name} ({side})"
    return [
        guards.trained(name, y, where.chance),
        guards.moved(name, y, block.values(side, begun), MARGIN, where.chance),
    ]


LOCAL_STEPS = Claim(
    "local_steps",
    "Tolerates more local steps",
    "Pre-trained runs tolerate more local steps without losing accuracy.",
    FIRST,
    f"final accuracy, pre-trained start: most minus fewest local steps, plus {MARGIN}",
    pretrained_tolerates_local_steps,
)


def random_loses_by_local_steps(where: Where) -> Finding | None:
    block = _local_work(where, where.random)
    if block is None:
        return None

    def test(good: Block, ends: Ends) -> Finding:
        z = (ends["fewest steps"] - ends["most steps"]).mean(axis=1)
        result = finding.of_values(by_seed(good, z), MARGIN, where.chance.floor)
        name = f"{where.called(where.random)} (fewest steps)"
        return result.beside(
            [guards.trained(name, ends["fewest steps"], where.chance)],
            guards.other_examples(where, ends),
        )

    result = guards.over_seeds_that_train(where, block, test)
    return result.beside(notes=guards.still_rising(where, block, list(block.cells), MARGIN))


LOCAL_STEPS_RANDOM = Claim(
    "local_steps_random",
    "Local steps cost random",
    "From random weights more local steps cost accuracy.",
    FIRST,
    "final accuracy, random start: fewest minus most local steps",
    random_loses_by_local_steps,
)
