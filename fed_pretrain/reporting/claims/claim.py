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
from fed_pretrain.reporting.claims import per_seed
from fed_pretrain.reporting.claims.per_seed import PerSeed
from fed_pretrain.reporting.part import significant
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.statistics import Spread, spread

HOLDS = "holds"
FAILS = "does not hold"
OPEN = "not enough data here"

FIRST = "Where to Begin? (ICLR 2023)"
SECOND = "Initialization Matters (2502.08024)"
THIRD = "Importance and Applicability of Pre-Training (ICLR 2023)"


@dataclass(frozen=True)
class Verdict:
    claim: str
    paper: str
    place: str
    statistic: str
    measured: str
    verdict: str


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper and the statistic that decides it.

    needs_learning: compares what training did, so a random start still at chance decides nothing.
    unit: what the statistic has one value of: one, and several.
    """

    key: str
    sentence: str
    paper: str
    statistic: str
    statistic_by_seed: PerSeed
    needs_learning: bool = False
    unit: tuple[str, str] = ("seed", "seeds")


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
        _measured(result, claim.unit),
        _verdict(result),
    )


def _measured(result: Spread, unit: tuple[str, str]) -> str:
    count = f"{result.count} {unit[result.count != 1]}"
    if math.isnan(result.half_width):
        return f"{significant(result.mean)} ({count})"
    return f"{significant(result.mean)} ± {significant(result.half_width)} (95 %, {count})"


def _verdict(result: Spread) -> str:
    if math.isnan(result.mean) or math.isnan(result.half_width):
        return OPEN
    if result.mean - result.half_width > 0:
        return HOLDS
    return FAILS if result.mean + result.half_width < 0 else OPEN


CLAIMS = (
    Claim(
        "accuracy",
        "A pre-trained start ends with higher accuracy.",
        FIRST,
        "final accuracy, pre-trained minus random, mean over algorithms and points of a sweep",
        per_seed.final_accuracy,
    ),
    Claim(
        "spread",
        "With a pre-trained start the choice of algorithm matters less.",
        FIRST,
        "best minus worst algorithm: random minus pre-trained",
        per_seed.spread_shrinks,
        needs_learning=True,
    ),
    Claim(
        "ranking",
        "A pre-trained start ranks the algorithms anew.",
        FIRST,
        "Kendall's tau between two seeds of one start minus tau between the two starts",
        per_seed.ranking_changes,
        needs_learning=True,
        unit=("pair of seeds", "pairs of seeds"),
    ),
    Claim(
        "adaptive_server",
        "With a pre-trained start an adaptive server is the choice that matters.",
        FIRST,
        "best adaptive minus best non-adaptive server, pre-trained start",
        per_seed.adaptive_server,
    ),
    Claim(
        "full_batch",
        "With a pre-trained start one full-batch step a client does about as well as local SGD.",
        FIRST,
        f"adaptive server: full-batch minus SGD clients, pre-trained start, plus {per_seed.MARGIN}",
        per_seed.full_batch_is_enough,
    ),
    Claim(
        "unequal_work",
        "Where clients do unequal work, plain SGD clients with an adaptive server are best from a"
        " pre-trained start.",
        FIRST,
        "adaptive server, pre-trained start: SGD minus best of Nova, Proximal and MimeLite",
        per_seed.plain_adam_bears_unequal_work,
    ),
    Claim(
        "unequal_work_random",
        "Where clients do unequal work, normalised averaging beats plain SGD clients from random"
        " weights.",
        FIRST,
        "random start: best with Nova minus best with SGD clients",
        per_seed.normalising_helps_random,
        needs_learning=True,
    ),
    Claim(
        "iid_gap",
        "Pre-training shrinks the gap between IID and non-IID data.",
        FIRST,
        "gap with random minus gap with pre-trained start",
        per_seed.gap_shrinks,
        needs_learning=True,
    ),
    Claim(
        "local_steps",
        "Pre-trained runs bear more local steps without losing accuracy.",
        FIRST,
        f"final accuracy, pre-trained start: most minus fewest local steps, plus {per_seed.MARGIN}",
        per_seed.pretrained_bears_local_steps,
    ),
    Claim(
        "local_steps_random",
        "From random weights more local steps cost accuracy.",
        FIRST,
        "final accuracy, random start: fewest minus most local steps",
        per_seed.random_loses_by_local_steps,
        needs_learning=True,
    ),
    Claim(
        "same_basin",
        "IID and non-IID training from a pre-trained start end in one loss basin.",
        THIRD,
        "barrier between the two final models (nats): random minus pre-trained",
        per_seed.same_basin,
        needs_learning=True,
    ),
    Claim(
        "start_loss",
        "A pre-trained start need not begin at a lower loss (holds where it is higher).",
        FIRST,
        "loss at round 0, pre-trained minus random",
        per_seed.loss_not_lower,
    ),
    Claim(
        "curvature",
        "The top Hessian eigenvalue is lower at a pre-trained start.",
        FIRST,
        "log of the ratio of top eigenvalues, random over pre-trained",
        per_seed.flatter,
    ),
    Claim(
        "cosine",
        "Client updates point more the same way from a pre-trained start.",
        FIRST,
        "mean pairwise cosine over all rounds, pre-trained minus random",
        per_seed.column_mean("mean_pairwise_cosine", 1.0),
        needs_learning=True,
    ),
    Claim(
        "diversity",
        "Gradient diversity is lower from a pre-trained start.",
        FIRST,
        "gradient diversity over all rounds, random minus pre-trained",
        per_seed.column_mean("gradient_diversity", -1.0),
        needs_learning=True,
    ),
    Claim(
        "distance",
        "A pre-trained start lies nearer to where training ends.",
        FIRST,
        "distance to the final weights at round 0, random minus pre-trained",
        per_seed.starts_nearer,
        needs_learning=True,
    ),
    Claim(
        "misaligned",
        "A pre-trained start has fewer misaligned filters (our surrogate measure).",
        SECOND,
        "misaligned fraction at round 0, random minus pre-trained",
        per_seed.fewer_misaligned,
        needs_learning=True,
    ),
)
