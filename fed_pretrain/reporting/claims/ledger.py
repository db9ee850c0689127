"""The ledger of claims: what the papers say, what this study measured, and a verdict.

A row is one number a seed. Its interval, and so its verdict, is valid at every look that the plan
declared, and the rows of a ledger are judged together: the more rows, the more each has to show.
"""

import functools
import itertools
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import scipy.stats

from fed_pretrain.reporting import guessing
from fed_pretrain.reporting.claims import (
    accuracy_claims,
    algorithm_claims,
    client_claims,
    landscape_claims,
    update_claims,
)
from fed_pretrain.reporting.claims.claim import Claim, Where
from fed_pretrain.reporting.claims.finding import Finding, Guard, Interval
from fed_pretrain.reporting.claims.row import Row, Verdict
from fed_pretrain.reporting.inference import looks as looks_module
from fed_pretrain.reporting.inference.looks import LEVEL, Looks
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import listed
from fed_pretrain.reporting.results import Study

# In reading order.
CLAIMS = (
    accuracy_claims.ACCURACY,
    algorithm_claims.SPREAD,
    algorithm_claims.RANKING,
    algorithm_claims.ADAPTIVE_SERVER,
    algorithm_claims.FULL_BATCH,
    algorithm_claims.UNEQUAL_WORK,
    algorithm_claims.UNEQUAL_WORK_RANDOM,
    accuracy_claims.IID_GAP,
    accuracy_claims.LOCAL_STEPS,
    accuracy_claims.LOCAL_STEPS_RANDOM,
    client_claims.CLIENT_GAP,
    landscape_claims.SAME_BASIN,
    landscape_claims.START_LOSS,
    landscape_claims.CURVATURE,
    update_claims.COSINE,
    update_claims.DIVERSITY,
    update_claims.DISTANCE,
    update_claims.MISALIGNED,
)


def rows(study: Study) -> list[Row]:
    """A row for each claim of the plan, task and pre-trained start that the study can speak of."""
    return list(_rows(study))


@functools.lru_cache(maxsize=4)
def _rows(study: Study) -> Sequence[Row]:
    looks = looks_module.of_plan(study.plan)
    wanted = list(study.plan.get("claims") or ())
    chosen = [claim for claim in CLAIMS if not wanted or claim.key in wanted]
    examined = [
        _examined(study, claim, place, looks) for claim in chosen for place in _places(study)
    ]
    return _judged([one for one in examined if one is not None])


def _places(study: Study) -> Iterator[tuple[str, str, str]]:
    """Task, random start, pre-trained start."""
    for task in study.tasks:
        random = study.random_start(task)
        if random is not None:
            yield from ((task, random, start) for start in study.pretrained_starts(task))


@dataclass(frozen=True)
class _Examined:
    """A row before the others are known: what each look found, the last one now.

    waiting: why there is no verdict yet, whatever the numbers are.
    """

    claim: Claim
    where: Where
    looks: Looks
    history: Sequence[tuple[float, Finding]]
    now: Finding
    waiting: str

    @property
    def sides(self) -> tuple[float, float, float]:
        """Sequential one-sided p-values: valid at every stopping rule."""
        seen = [(weight, found.guarded) for weight, found in self.history]
        return (
            min([1.0, *(sides.up / weight for weight, sides in seen)]),
            min([1.0, *(sides.down / weight for weight, sides in seen)]),
            min([1.0, *(sides.same / weight for weight, sides in seen)]),
        )

    @property
    def p(self) -> float:
        return min(1.0, 2 * min(self.sides))

    def interval(self, level: float) -> Interval | None:
        """What all looks so far leave; before the first one, what one look now would."""
        seen = self.history or ((1.0, self.now),)
        found = [found.bounds(level * weight) for weight, found in seen]
        ends = [one for one in found if one is not None]
        if not ends:
            return None
        low, high = max(one[0] for one in ends), min(one[1] for one in ends)
        return (low, high) if low <= high else ends[-1]


def _examined(
    study: Study, claim: Claim, place: tuple[str, str, str], planned: Looks | None
) -> _Examined | None:
    task, random, start = place
    known = _seeds(study, task, (random, start))
    looks = planned or looks_module.one_look(len(known))
    done = list(itertools.takewhile(lambda s: s not in _pending(study, task, place[1:]), known))

    def at(number: int) -> tuple[Where, Finding | None]:
        seeds = tuple(known[:number])
        where = Where(study.of_seeds(task, seeds), task, random, start, seeds)
        return where, claim.measure(where)

    reached = [n for n in looks.sizes if n <= len(done)]
    history = [(looks.weights[n], found) for n in reached if (found := at(n)[1]) is not None]
    where, now = at(reached[-1] if reached else len(known))
    if now is None:
        return None
    waiting = "" if reached else _waiting(looks, len(done))
    return _Examined(claim, where, looks, history, now, waiting)


def _seeds(study: Study, task: str, starts: Sequence[str]) -> list[int]:
    """The seeds that both starts were run with, in the plan's order."""
    places = [run.coordinates for run in (*study.runs, *study.diverged)]
    places += [one.coordinates for one in study.analyses]
    places += [step["coordinates"] for step in study.steps if "seed" in step["coordinates"]]
    found = [
        {int(one["seed"]) for one in places if (one["task"], one.get("start")) == (task, start)}
        for start in starts
    ]
    common = set.intersection(*found)
    planned = [int(seed) for seed in study.plan.get("seeds") or ()]
    return [s for s in planned if s in common] if planned else sorted(common)


def _pending(study: Study, task: str, starts: Sequence[str]) -> set[int]:
    """Seeds with a step that has not come to an end."""
    return {
        int(step["coordinates"]["seed"])
        for step in study.steps
        if step["status"] in ("waiting", "running", "elsewhere")
        and "seed" in step["coordinates"]
        and step["coordinates"].get("task") == task
        and step["coordinates"].get("start") in starts
    }


def _waiting(looks: Looks, done: int) -> str:
    return f"{done} of the {looks.sizes[0]} seeds of the first look are finished"


def _judged(examined: Sequence[_Examined]) -> list[Row]:
    adjusted = looks_module.holm([1.0 if one.waiting else one.p for one in examined])
    verdicts = [_verdict(one, p) for one, p in zip(examined, adjusted, strict=True)]
    still_open = sum(verdict is Verdict.UNDECIDED for verdict in verdicts)
    return [
        _row(one, p, verdict, len(examined), still_open)
        for one, p, verdict in zip(examined, adjusted, verdicts, strict=True)
    ]


def _verdict(one: _Examined, adjusted: float) -> Verdict:
    if one.waiting:
        return Verdict.UNDECIDED
    if one.now.identical and len(one.now.values) > 1 and one.claim.margin is not None:
        met = max((guard.p for guard in one.now.guards), default=0.0) <= LEVEL
        return Verdict.EQUIVALENT if met else Verdict.UNDECIDED
    if adjusted > LEVEL:
        return Verdict.UNDECIDED
    up, down, same = one.sides
    if same < min(up, down):
        return Verdict.EQUIVALENT
    if one.now.existential:
        return Verdict.SEEN if up < down else Verdict.NOT_SEEN
    return Verdict.HOLDS if up < down else Verdict.FAILS


def _row(one: _Examined, adjusted: float, verdict: Verdict, family: int, still_open: int) -> Row:
    now, tested = one.now, len(one.now.values) != 1 and not one.waiting and not one.now.identical
    row = Row(
        claim=one.claim,
        task=one.where.task,
        random=one.where.random,
        start=one.where.start,
        values=dict(now.values),
        estimate=now.estimate,
        interval=one.interval(LEVEL),
        adjusted_interval=one.interval(LEVEL / family),
        p=one.p if tested else None,
        adjusted_p=adjusted if tested else None,
        verdict=verdict,
        notes=tuple(now.notes),
    )
    if row.interval and not row.interval[0] <= row.estimate <= row.interval[1]:
        moved = "seeds after an earlier look have moved the estimate out of its interval"
        row = replace(row, notes=(*row.notes, moved))
    if verdict is not Verdict.UNDECIDED:
        return row
    needed = _seeds_needed(one, LEVEL / max(1, still_open))
    why, group = _reason(one, needed)
    return replace(row, why=why, group=group, seeds_needed=needed if group == "seeds" else None)


def _blocking(one: _Examined) -> Guard | None:
    """The guard that seems not to be met, so that more seeds would not help."""
    return next((guard for guard in one.now.guards if not guard.likely), None)


def _reason(one: _Examined, needed: int | None) -> tuple[str, str]:
    guard = _blocking(one)
    if guard is not None:
        return guard.why, guard.group
    if one.waiting:
        return one.waiting, "seeds"
    if len(one.where.seeds) < 2:
        return "one seed has no interval", "seeds"
    if needed is None:
        most = one.looks.most if len(one.looks.sizes) > 1 else _MOST
        return f"too small against the noise for {most} seeds to decide", "no effect"
    least = max((guard.p for guard in one.now.guards), default=0.0)
    unsure = next((guard for guard in one.now.guards if guard.p == least > LEVEL / 2), None)
    told = f"about {needed} seeds would decide it"
    return (f"{unsure.why}; {told}", "seeds") if unsure else (told, "seeds")


_MOST = 50
"""Seeds that a plan with one look is thought to be able to afford."""


def _seeds_needed(one: _Examined, level: float) -> int | None:
    """The first look that would decide, were effect and noise what they seem now."""
    now = len(one.where.seeds)
    if one.waiting:
        return one.looks.sizes[0]
    if _blocking(one) is not None:
        return None
    if now < 2:
        return min(looks_module.LADDER)
    ahead: Mapping[int, float] = {n: w for n, w in one.looks.weights.items() if n > now}
    if len(one.looks.sizes) == 1:
        ahead = dict.fromkeys(range(now + 1, _MOST + 1), 1.0)
    sides = one.now.guarded
    strength = _strength(min(sides.up, sides.down, sides.same), now)
    for number, weight in ahead.items():
        if 2 * scipy.stats.t.sf(strength * math.sqrt(number), number - 1) / weight <= level:
            return number
    return None


def _strength(p: float, seeds: int) -> float:
    """The effect over its noise that a one-sided p amounts to, were it Student's t."""
    return float(scipy.stats.t.isf(max(p, 1e-300), seeds - 1)) / math.sqrt(seeds)


def scope(study: Study) -> str:
    """What seeds vary, and what no interval covers."""
    own = {task: study.plan["tasks"].get(task, {}).get("per_seed") or () for task in study.tasks}
    varied = ["initial weights", "heads", "cohorts", "batches"]
    fixed = ["the tuned rates"]
    own_examples = all(guessing.seeds_vary_examples(study, task) for task in study.tasks)
    (varied if own_examples else fixed).append("the test examples")
    for key, word in (("dataset", "the partition"), ("pretrain", "the pre-training run")):
        having = [Names(study).task(task) for task, keys in own.items() if key in keys]
        if having and len(having) < len(own):
            word = f"{word} of {listed(having)} alone"
        (varied if having else fixed).append(word)
    return (
        f"Seeds vary {listed(varied)}; they do not vary {listed(fixed)}, which no interval covers."
    )


def override(study: Study, seeds: int) -> str:
    """What to add to the study's command for this many seeds; empty where it needs nothing."""
    reach = next((n for n in looks_module.LADDER if n >= seeds), max(looks_module.LADDER))
    found = []
    if not study.plan.get("looks"):
        found.append(f"seeds={{until: decided, at_most: {reach}}}")
    elif reach > len(study.plan["seeds"]):
        found.append(f"seeds.at_most={reach}")
    minutes = (study.plan.get("budget") or {}).get("minutes")
    have = len({run.seed for run in study.runs})
    if minutes and have:
        found.append(f"budget.minutes={math.ceil(minutes * max(1.0, reach / have))}")
    return " ".join(f"--set {shlex.quote(one)}" for one in found)
