"""The ledger of claims: what the papers say, what this study measured, and an honest verdict.

Every claim is a statistic whose sign decides, computed once a seed from runs that share data,
cohorts and seed. The verdict follows from the 95 % interval of its mean over seeds (Student's t):
above zero the claim holds here, below zero it does not, and an interval that contains zero, or a
single seed, is not enough data. Claims about what training does are open, too, while the random
start has not left chance.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fed_pretrain.reporting.captions import left_chance
from fed_pretrain.reporting.claims import accuracy_claims, algorithm_claims, landscape_claims
from fed_pretrain.reporting.claims.claim import Claim
from fed_pretrain.reporting.claims.row import Row
from fed_pretrain.reporting.claims.row import Verdict as Word
from fed_pretrain.reporting.part import Section, Table, significant
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.statistics import Spread, spread

HOLDS = "holds"
FAILS = "does not hold"
OPEN = "not enough data here"

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
    landscape_claims.SAME_BASIN,
    landscape_claims.START_LOSS,
    landscape_claims.CURVATURE,
    landscape_claims.COSINE,
    landscape_claims.DIVERSITY,
    landscape_claims.DISTANCE,
    landscape_claims.MISALIGNED,
)


@dataclass(frozen=True)
class Verdict:
    claim: str
    paper: str
    place: str
    statistic: str
    measured: str
    verdict: str


def ledger_section(study: Study) -> Section | None:
    found = verdicts(study)
    if not found:
        return None
    rows = [[v.claim, v.place, v.statistic, v.measured, v.verdict, v.paper] for v in found]
    header = ["claim", "where", "statistic", "measured", "verdict", "paper"]
    text = [
        "Each statistic is computed once a seed from paired runs (same clients, cohorts and seed)."
        " A claim holds here when the 95 % interval of its mean over seeds lies above zero; with"
        " few seeds that interval is wide, and the verdict says so rather than guess. Claims about"
        " what training does stay open where the random start never left chance. A verdict speaks"
        " of this data, model and budget only, and no correction is made for the number of claims."
    ]
    table = Table("claims", "Claims of the papers and what this study measured", header, rows)
    return Section("claims", "Ledger of claims", text, tables=[table])


def verdicts(study: Study) -> list[Verdict]:
    """A row per claim and (task, pre-trained start) that the study can speak about."""
    wanted = list(study.plan.get("claims") or ())
    chosen = [claim for claim in CLAIMS if not wanted or claim.key in wanted]
    return [verdict for claim in chosen for verdict in _rows(study, claim)]


def _rows(study: Study, claim: Claim) -> Iterator[Verdict]:
    for task in study.tasks:
        random_start = study.random_start(task)
        if random_start is None:
            continue
        for start in study.pretrained_starts(task):
            values = claim.statistic_by_seed(study, task, random_start, start)
            if values:
                verdict = judge(claim, f"{task}: {start} vs {random_start}", values)
                if claim.needs_learning and not left_chance(study, task, random_start):
                    told = f"{verdict.measured}; {random_start} stayed at chance"
                    verdict = replace(verdict, measured=told, verdict=OPEN)
                yield verdict


def judge(claim: Claim, place: str, values: Sequence[float]) -> Verdict:
    result = spread(values)
    return Verdict(
        claim.sentence,
        claim.paper,
        place,
        claim.statistic,
        _measured(result, claim.replicate),
        _verdict(result),
    )


def _measured(result: Spread, replicate: tuple[str, str]) -> str:
    count = f"{result.count} {replicate[result.count != 1]}"
    if math.isnan(result.half_width):
        return f"{significant(result.mean)} ({count})"
    return f"{significant(result.mean)} ± {significant(result.half_width)} (95 %, {count})"


def _verdict(result: Spread) -> str:
    if math.isnan(result.mean) or math.isnan(result.half_width):
        return OPEN
    if result.mean - result.half_width > 0:
        return HOLDS
    return FAILS if result.mean + result.half_width < 0 else OPEN


def rows(study: Study) -> list[Row]:
    """A row for each claim of the plan, task and pre-trained start that the study can speak of."""
    wanted = list(study.plan.get("claims") or ())
    chosen = [claim for claim in CLAIMS if not wanted or claim.key in wanted]
    return [row for claim in chosen for row in _judged(study, claim)]


_WORDS = {HOLDS: Word.HOLDS, FAILS: Word.FAILS, OPEN: Word.UNDECIDED}


def _judged(study: Study, claim: Claim) -> Iterator[Row]:
    for task in study.tasks:
        random_start = study.random_start(task)
        if random_start is None:
            continue
        for start in study.pretrained_starts(task):
            values = claim.statistic_by_seed(study, task, random_start, start)
            if values:
                at_chance = claim.needs_learning and not left_chance(study, task, random_start)
                result = spread(values)
                ends = (result.mean - result.half_width, result.mean + result.half_width)
                interval = None if math.isnan(result.half_width) else ends
                word = Word.UNDECIDED if at_chance else _WORDS[_verdict(result)]
                open_row = word is Word.UNDECIDED
                why = f"{random_start} stayed at chance" if at_chance else "too few seeds to tell"
                yield Row(
                    claim=claim,
                    task=task,
                    random=random_start,
                    start=start,
                    values=dict(enumerate(values)),
                    estimate=result.mean,
                    interval=interval,
                    adjusted_interval=interval,
                    p=None,
                    adjusted_p=None,
                    verdict=word,
                    why=why if open_row else "",
                    group=("chance" if at_chance else "seeds") if open_row else "",
                )
