"""The conditions of the rows: runs have been trained, have left their start, and did not fail."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.stats

from fed_pretrain.reporting import guessing
from fed_pretrain.reporting.claims import finding
from fed_pretrain.reporting.claims.block import Block
from fed_pretrain.reporting.claims.claim import Where
from fed_pretrain.reporting.claims.finding import Finding, Guard
from fed_pretrain.reporting.guessing import Chance
from fed_pretrain.reporting.inference import student


def trained(name: str, y: np.ndarray, chance: Chance) -> Guard:
    """The median algorithm ends a tenth of the way from chance to one, on average and mostly."""
    ends = np.median(y, axis=-1)
    p = float(student.one_sided(ends - chance.line, chance.floor)[0])
    likely = bool(min(ends.mean(), np.median(ends)) > chance.line)
    at = f"accuracy {ends.mean():.3f}, {chance.accuracy:.3f} without training"
    if likely:
        return Guard(p, True, f"it is not sure that {name} has left chance ({at})")
    return Guard(p, False, f"{name} stays at chance ({at})", "chance")


def moved(name: str, y: np.ndarray, y_before: np.ndarray, margin: float, chance: Chance) -> Guard:
    """Two runs that never left their start are equal and show nothing."""
    rise = (y - y_before).mean(axis=-1)
    p = float(student.one_sided(rise - margin, chance.floor)[0])
    words = f"training changes the accuracy of {name} by {rise.mean():+.3f} only"
    return Guard(p, bool(rise.mean() > margin), words)


def failures(block: Block, sides: Sequence[str], chance: Chance) -> dict[str, set[int]]:
    """By side, the seeds in which a run failed: not finite, or untrained where most seeds train.

    Where most runs of one side do not train, no run of another has failed for ending like them:
    to leave its seed out would flatter the other side.
    """
    ends = {side: block.values(side) for side in sides}
    usual = [
        np.nanmedian(np.where(np.isfinite(y), y, chance.accuracy), axis=0) for y in ends.values()
    ]
    most_train = np.min(usual, axis=0) >= chance.line
    found = {}
    for side, y in ends.items():
        bad = ~np.isfinite(y) | ((y < chance.line) & most_train)
        found[side] = {seed for seed, row in zip(block.seeds, bad, strict=True) if row.any()}
    return found


# How the remark of a row begins that leaves out seeds in which a run failed.
THAT_TRAIN = "of the seeds that train"


def failure_note(where: Where, failed: Mapping[str, set[int]], number: int) -> list[str]:
    if not any(failed.values()):
        return []
    parts = []
    for side, seeds in failed.items():
        high = _at_most(len(seeds), number)
        parts.append(f"{len(seeds)}/{number} {where.called(side)} (at most {high:.0%})")
    return [f"{THAT_TRAIN}; failed: {', '.join(parts)}"]


def _at_most(failed: int, number: int) -> float:
    """Clopper and Pearson's bound of the share, one-sided at 95 %."""
    if failed == number:
        return 1.0
    return float(scipy.stats.beta.ppf(0.95, failed + 1, number - failed))


Ends = Mapping[str, np.ndarray]


def over_seeds_that_train(
    where: Where, block: Block, test: Callable[[Block, Ends], Finding]
) -> Finding:
    """A row of accuracies: `test` on the seeds whose runs all trained.

    A failed run is an outcome, but it breaks the test: so the sign of the estimate has to stay the
    same where failed runs count as runs at chance.
    """
    chance = where.chance
    failed = failures(block, list(block.cells), chance)
    bad = set.union(*failed.values())
    good = block.of_seeds(seed for seed in block.seeds if seed not in bad)
    notes = [*block.left_out, *failure_note(where, failed, len(block.seeds))]
    if not good:
        return finding.nothing("no seed is without a failed run").beside(notes=notes)
    result = test(good, {side: good.values(side) for side in block.cells}).beside(notes=notes)
    if not bad:
        return result.beside(_unchanging(good, result))
    filled = {
        side: np.where(np.isfinite(y) & (y >= chance.line), y, chance.accuracy)
        for side, y in ((side, block.values(side)) for side in block.cells)
    }
    everywhere = test(block, filled).estimate
    if everywhere * result.estimate < 0:
        why = "it turns round where failed runs count as runs at chance"
        return result.beside([finding.broken(why)])
    return result


def _unchanging(block: Block, result: Finding) -> list[Guard]:
    """Runs that are equal bit for bit in all seeds are one replicate."""
    if len(block.seeds) < 2 or result.identical:
        return []
    first = None
    for seed in block.seeds:
        curves = [
            run.series(column)[1]
            for side in block.cells
            for name in block.algorithms
            for run in block.cells[side][name][seed]
            for column in ("eval_accuracy", "eval_loss")
        ]
        if first is None:
            first = curves
        elif curves != first:
            return []
    return [finding.broken("seeds change nothing: all runs of a cell are equal bit for bit")]


def still_rising(where: Where, block: Block, sides: Sequence[str], margin: float) -> list[str]:
    """A tag where the last fifth of the rounds still changes a mean accuracy by the margin."""
    told = []
    for side in sides:
        changes = []
        rounds = 0
        for run in block.runs(side):
            at, values = run.series("eval_accuracy")
            if len(at) < 2:
                continue
            rounds = max(rounds, at[-1])
            earlier = [v for r, v in zip(at, values, strict=True) if r <= 0.8 * at[-1]]
            changes.append(values[-1] - (earlier or values)[-1])
        change = float(np.mean(changes)) if changes else math.nan
        if abs(change) > margin:
            way = "rising" if change > 0 else "falling"
            told.append(f"at {rounds} rounds, {where.called(side)} still {way}")
    return told


def other_examples(where: Where, ends: Ends) -> list[str]:
    """How far a difference of accuracies goes beyond the examples that all seeds were evaluated on.

    Its variance is at most the sum of a (1 - a) over the sides, by the examples' number: as if the
    sides erred independently. Models err on the same hard examples, which makes it smaller.
    """
    if not where.chance.rows or guessing.seeds_vary_examples(where.study, where.task):
        return []
    accuracies = [float(y.mean()) for y in ends.values()]
    deviation = math.sqrt(sum(a * (1 - a) for a in accuracies) / where.chance.rows)
    number = f"{where.chance.rows:,}"
    return [f"{number} other test examples would move it by about {deviation:.3f}, at most"]
