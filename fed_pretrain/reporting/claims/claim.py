"""A claim: a sentence of a paper and the statistic that decides it."""

from collections.abc import Callable
from dataclasses import dataclass

from fed_pretrain.reporting.results import Study

FIRST = "Where to Begin? (ICLR 2023)"
SECOND = "Initialization Matters (2502.08024)"
THIRD = "Importance and Applicability of Pre-Training (ICLR 2023)"

# (study, task, random start, pre-trained start) -> one value a seed, positive where the claim is
# right; no value where the study cannot say.
PerSeed = Callable[[Study, str, str, str], list[float]]
# "About as good" means worse by less than this.
MARGIN = 0.02


@dataclass(frozen=True)
class Claim:
    """A sentence, and where its statistic is above zero it holds.

    short: its name in two to five words.
    unit: of the effect.
    margin: an effect below it is as good as none; None where no size is too small to matter.
    needs_learning: compares what training did, so a random start still at chance decides nothing.
    replicate: what the statistic has one value of, in the singular and the plural.
    """

    key: str
    short: str
    sentence: str
    paper: str
    statistic: str
    statistic_by_seed: PerSeed
    unit: str = "accuracy"
    margin: float | None = MARGIN
    needs_learning: bool = False
    replicate: tuple[str, str] = ("seed", "seeds")
