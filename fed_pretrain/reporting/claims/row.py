"""A row of the ledger: one claim where one pre-trained start meets the random one of a task."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from fed_pretrain.reporting.claims.claim import Claim

Interval = tuple[float, float]


class Verdict(enum.Enum):
    """Its value is the word that is printed."""

    HOLDS = "holds"
    FAILS = "does not hold"
    EQUIVALENT = "no difference"
    SEEN = "seen here"
    NOT_SEEN = "not seen here"
    UNDECIDED = "undecided"

    def __str__(self) -> str:
        return self.value


# Why a row is undecided, in the order in which a reader wants them: what more seeds would settle,
# what the start kept from being asked, what is too small to be seen, and the rest.
GROUPS = ("seeds", "chance", "no effect", "guard")


@dataclass(frozen=True)
class Row:
    """What a study says of a claim.

    values: the statistic by seed; positive is the claim's side.
    interval: 95 %, for this row alone; None where there is none, as of a single seed.
    adjusted_interval: the same for all rows of the ledger together.
    p, adjusted_p: two-sided; a verdict needs the adjusted one at most 0.05.
    why: in words why it is undecided, and `group` (of GROUPS) of what kind that is; else empty.
    seeds_needed: about how many seeds would decide it; None where seeds would not, or need not.
    """

    claim: Claim
    task: str
    random: str
    start: str
    values: Mapping[int, float]
    estimate: float
    interval: Interval | None
    adjusted_interval: Interval | None
    p: float | None
    adjusted_p: float | None
    verdict: Verdict
    why: str = ""
    seeds_needed: int | None = None
    group: str = ""
    notes: tuple[str, ...] = ()

    @property
    def decided(self) -> bool:
        return self.verdict is not Verdict.UNDECIDED
