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
class AnalyzeConfig:
    """`run` describes the start to look at; `probes` names what to measure.

    options: of the probes, a dataclass of each kind at most; run_folder: looks at the weights that
    run kept after `round` instead; others: runs set beside it; clients: at most N clients of the
    round's cohort.
    """

    run: RunConfig
    probes: tuple[str, ...]
    options: tuple[object, ...] = ()
    run_folder: str | None = None
    round: str = "last"
    others: tuple[OtherRun, ...] = ()
    clients: int | None = None

    @property
    def given(self) -> set[str]:
        """The flags that name models and are given."""
        own = {"run"} if self.run_folder is not None else set()
        return own | {run.flag for run in self.others}
