"""Claims about where a start is: its loss, its curvature, and the basin that training ends in."""

import math
from collections.abc import Mapping

import numpy as np

from fed_pretrain.reporting.captions import IID_NAMES
from fed_pretrain.reporting.claims import finding, guards
from fed_pretrain.reporting.claims.accuracy_claims import by_seed, with_iid
from fed_pretrain.reporting.claims.block import Block, first
from fed_pretrain.reporting.claims.claim import FIRST, THIRD, Claim, Where
from fed_pretrain.reporting.claims.finding import Finding, Guard
from fed_pretrain.reporting.estimates import estimate
from fed_pretrain.reporting.inference.student import Sides
from fed_pretrain.reporting.results import Analysis, Run, Study, read_json
from groundwork.untyped import Json

LOSS_MARGIN = 0.05


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
        seed: estimate([float(line["barrier"]) for line in lines]).mean
        for seed, lines in lines_between(study, task, start).items()
    }


def same_basin(where: Where) -> Finding | None:
    random, start = (barriers(where.study, where.task, one) for one in where.both)
    seeds = [seed for seed in where.seeds if seed in random and seed in start]
    if not seeds:
        return None
    lower = finding.of_values({seed: random[seed] - start[seed] for seed in seeds}, None)
    low = finding.of_values({seed: LOSS_MARGIN - start[seed] for seed in seeds}, None)
    mean = float(np.mean([start[seed] for seed in seeds]))
    # It holds where the barrier is low and lower, and fails where one of these is refuted.
    up = np.maximum(lower.sides.up, low.sides.up)
    down = np.minimum(1.0, 2 * np.minimum(lower.sides.down, low.sides.down))
    ends = with_iid(where, where.study)
    return Finding(
        lower.values,
        lower.estimate,
        Sides(up, down, np.ones_like(up)),
        lower.bounds,
        guards=_all_trained(where, where.aligned(ends, ["start", "partition"])),
        notes=[*lower.notes, f"barrier from {where.called(where.start)}: {mean:.3f} nat"],
    )


def _all_trained(where: Where, block: Block) -> list[Guard]:
    if not block:
        return [finding.broken("the runs whose ends are compared are not there")]
    return [guards.trained(side, block.values(side), where.chance) for side in block.cells]


SAME_BASIN = Claim(
    "same_basin",
    "One loss basin",
    "IID and non-IID training from a pre-trained start end in one loss basin.",
    THIRD,
    "barrier between the two final models: random minus pre-trained; the latter is below"
    f" {LOSS_MARGIN}, too",
    same_basin,
    unit="nat",
    margin=None,
)


def loss_not_lower(where: Where) -> Finding | None:
    block, (random, start) = where.starts, where.both
    if not block:
        return None
    z = (block.values(start, first("eval_loss")) - block.values(random, first("eval_loss"))).mean(
        axis=1
    )
    if not np.isfinite(z).any():
        return None
    result = finding.of_values(by_seed(block, z), LOSS_MARGIN)
    if _unlike(block, random, start):
        why = "the starts are evaluated on different examples, or have heads of other sizes"
        result = result.beside([finding.broken(why)])
    return finding.as_existential(result)


def _unlike(block: Block, random: str, start: str) -> bool:
    """Whether the losses of two starts are of different questions."""
    pairs = zip(block.runs(random), block.runs(start), strict=True)
    return any(_asked(one) != _asked(other) for one, other in pairs)


def _asked(run: Run) -> tuple[object, ...]:
    """The examples a run is evaluated on, and the size of its last layer."""
    tensors = (read_json(run.folder / "start.json") or {}).get("tensors", ())
    used = [tensor["shape"] for tensor in tensors if tensor.get("status") != "unused"]
    return run.config.get("dataset_fingerprint"), run.evaluated, used[-1:]


START_LOSS = Claim(
    "start_loss",
    "Higher loss at start",
    "A pre-trained start need not begin at a lower loss.",
    FIRST,
    "loss at round 0, pre-trained minus random",
    loss_not_lower,
    unit="nat",
    margin=LOSS_MARGIN,
)

_RATIO = 1.25


def top_eigenvalue(study: Study, task: str, start: str, seed: int) -> float:
    """The top Hessian eigenvalue at a start, where an analysis measured it and it converged."""
    found = _at_start(study, task, start, seed)
    return float(found["eigenvalues"][0]) if found else math.nan


def _at_start(study: Study, task: str, start: str, seed: int) -> Mapping[str, Json] | None:
    """The converged top end of the spectrum, with where it was measured as `provenance`."""
    for analysis in study.analyses:
        place = analysis.coordinates
        if (place["task"], place["start"], place["seed"]) == (task, start, seed):
            content = _eigenvalues(analysis)
            if content and content["top"]["converged"]:
                return {**content["top"], "provenance": content.get("provenance") or {}}
    return None


def _eigenvalues(analysis: Analysis) -> Mapping[str, Json] | None:
    content = analysis.probe("eigenvalues") if "algorithm" not in analysis.coordinates else None
    found: Mapping[str, Json] | None = content
    return found


def flatter(where: Where) -> Finding | None:
    measured = {one.coordinates["start"] for one in where.study.analyses if _eigenvalues(one)}
    if not measured.issuperset(where.both):
        return None
    values, unsure, unlike = {}, [], False
    for seed in where.seeds:
        random, start = (_at_start(where.study, where.task, one, seed) for one in where.both)
        if random is None or start is None:
            unsure.append(seed)
            continue
        unlike = unlike or _input(random) != _input(start)
        z = _log_ratio(random, start)
        if z is None:
            unsure.append(seed)
        else:
            values[seed] = z
    if not values:
        return finding.nothing("no seed has eigenvalues that converged for both starts")
    result = finding.of_values(values, math.log(_RATIO))
    if unlike:
        why = "the starts read their inputs on different scales, or have heads of other sizes"
        result = result.beside([finding.broken(why)])
    notes = [f"not converged well enough in seed {seed}" for seed in unsure]
    return result.beside(notes=notes)


def _input(top: Mapping[str, Json]) -> tuple[object, object]:
    """The top eigenvalue grows with the square of the input scale, and with the head."""
    provenance = top["provenance"]
    return provenance.get("preprocessing"), provenance.get("num_classes")


def _log_ratio(random: Mapping[str, Json], start: Mapping[str, Json]) -> float | None:
    """None where the residuals leave the sign open."""
    (first, rest), (other, other_rest) = (_value(one) for one in (random, start))
    if first <= 0 or other <= 0:
        return None
    z = math.log(first / other)
    if rest >= 1 or other_rest >= 1:
        return None
    sign = math.copysign(1.0, z)
    worst = math.log(first * (1 - sign * rest)) - math.log(other * (1 + sign * other_rest))
    return z if worst * z > 0 else None


def _value(top: Mapping[str, Json]) -> tuple[float, float]:
    value = float(top["eigenvalues"][0])
    residuals = top.get("relative_residuals") or top.get("residuals") or [0.0]
    return value, float(residuals[0] or 0.0)


CURVATURE = Claim(
    "curvature",
    "Flatter start",
    "The top Hessian eigenvalue is lower at a pre-trained start.",
    FIRST,
    "log of the ratio of top eigenvalues, random over pre-trained",
    flatter,
    unit="log ratio",
    margin=math.log(_RATIO),
)
