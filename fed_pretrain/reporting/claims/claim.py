"""A claim: a sentence of a paper, and the statistic that decides it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from fed_pretrain.reporting import captions, guessing
from fed_pretrain.reporting.claims.block import Block, aligned
from fed_pretrain.reporting.claims.finding import Finding
from fed_pretrain.reporting.guessing import Chance
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.results import Run, Study

FIRST = "Where to Begin? (ICLR 2023)"
SECOND = "Initialization Matters (2502.08024)"
THIRD = "Importance and Applicability of Pre-Training (ICLR 2023)"

# Differences of accuracy below it are as good as none: a convention of ours.
MARGIN = 0.02


@dataclass(frozen=True)
class Where:
    """Where a claim is judged: one pre-trained start beside the random one, for some seeds.

    `study` holds nothing but these seeds of this task.
    """

    study: Study
    task: str
    random: str
    start: str
    seeds: tuple[int, ...]

    @property
    def both(self) -> tuple[str, str]:
        return self.random, self.start

    def called(self, side: str) -> str:
        """A start as the reader knows it; other sides of a comparison are words already."""
        return Names(self.study).start(self.task, side) if side in self.both else side

    @cached_property
    def chance(self) -> Chance:
        return guessing.of_task(self.study, self.task)

    @cached_property
    def starts(self) -> Block:
        """The runs of both starts without the controls, algorithm beside like algorithm."""
        return self.aligned({side: self.runs(side) for side in self.both}, ["start"])

    def runs(self, start: str) -> list[Run]:
        return captions.subjects(self.everything, self.task, start=start)

    @cached_property
    def everything(self) -> Study:
        """With the runs that diverged, which are outcomes, too."""
        return replace(self.study, runs=[*self.study.runs, *self.study.diverged])

    def aligned(self, sides: dict[str, list[Run]], apart: Sequence[str]) -> Block:
        return aligned(sides, self.seeds, apart, Names(self.study).algorithm).without_twins()


# None where the study has nothing of the kind the claim speaks of.
Statistic = Callable[[Where], Finding | None]


@dataclass(frozen=True)
class Claim:
    """`measure` gives the effect, which is positive where the sentence is right.

    short: its name in two to five words.
    unit: of the effect.
    margin: an effect below it is as good as none; None where no size is too small to matter.
    probe: of the runs, without which there is nothing to judge.
    """

    key: str
    short: str
    sentence: str
    paper: str
    statistic: str
    measure: Statistic
    unit: str = "accuracy"
    margin: float | None = MARGIN
    probe: str = ""
