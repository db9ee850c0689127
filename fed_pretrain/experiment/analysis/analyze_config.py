"""What an analysis is asked to look at, and how."""

import dataclasses

from fed_pretrain.experiment.assembly.run_config import RunConfig


@dataclasses.dataclass(frozen=True)
class OtherRun:
    """Another run's folder and round, and the flags that name them in a message."""

    folder: str
    round: str = "last"
    flag: str = "other_run"
    round_flag: str = "other_round"


@dataclasses.dataclass(frozen=True)
class LandscapeConfig:
    """How finely the loss is looked at between and around models, and on how many examples.

    points: on the line between two models; beyond: how far the line goes on past them, in its own
    lengths; grid: points a side of the plane; reach: of the eigenvector's line, 1 is where the
    eigenvalue alone would double the loss.
    """

    points: int = 11
    beyond: float = 0.5
    grid: int = 9
    reach: float = 1.0
    examples: int | None = 2000


@dataclasses.dataclass(frozen=True)
class AnalyzeConfig:
    """`run` describes the start to look at; `probes` names what to measure.

    run_folder: looks at the weights that run kept after `round` instead; other and third: runs set
    beside it; clients: at most so many of the round's cohort.
    """

    run: RunConfig
    probes: tuple[str, ...]
    landscape: LandscapeConfig = LandscapeConfig()
    run_folder: str | None = None
    round: str = "last"
    other: OtherRun | None = None
    third: OtherRun | None = None
    clients: int | None = None
    baseline_epochs: int = 5
