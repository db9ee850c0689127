"""What an analysis is asked to look at, and how."""

import dataclasses

from fed_pretrain.experiment.config import RunConfig
from fed_pretrain.probes.curvature.probe import CurvatureConfig


@dataclasses.dataclass(frozen=True)
class AnalyzeConfig:
    """`run` describes the start to look at; `probes` names what to measure.

    run_folder: looks at the weights that run kept after `round` instead; other_run: the other end
    of the landscape; clients: at most so many of the round's cohort.
    """

    run: RunConfig
    probes: tuple[str, ...]
    curvature: CurvatureConfig
    run_folder: str | None = None
    round: str = "last"
    other_run: str | None = None
    other_round: str = "last"
    clients: int | None = None
    points: int = 11
    baseline_epochs: int = 5
