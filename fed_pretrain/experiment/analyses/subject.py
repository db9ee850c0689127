"""The weights an analysis looks at, and everything they are measured with."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig
from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.experiment.training import rounds
from fed_pretrain.experiment.workdir import workdir
from fed_pretrain.experiment.workdir.checkpoints import KeptWeights, ModelArrays
from groundwork.errors import UserError


@dataclasses.dataclass(frozen=True)
class Subject:
    """`kept` is None for a start; JSON and figures go to `folder`.

    `found` holds what one measurement leaves for the others of the same call.
    """

    config: AnalyzeConfig
    assembly: Assembly
    weights: ModelArrays
    round_number: int
    kept: KeptWeights | None
    folder: Path
    found: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def cohort(self) -> list[str]:
        """The clients drawn for the round that follows these weights."""
        return rounds.cohort_of(self.assembly, self.round_number + 1)[: self.config.clients]

    def snapshots(self) -> list[tuple[int, Callable[[], ModelArrays]]]:
        """The rounds the run has kept up to this one, and how to read them; none of a start."""
        kept = self.kept
        if kept is None:
            return []
        until = [number for number in kept.rounds() if number <= self.round_number]
        return [(number, functools.partial(kept.read, number)) for number in until]

    def provenance(self) -> dict[str, Any]:
        """What the numbers are of."""
        if self.kept is None:
            return workdir.of_start(self.assembly)
        run = str(self.config.run_folder)
        return {**workdir.of_round(self.assembly, self.round_number), "run": run}


def find(config: AnalyzeConfig, assembly: Assembly, root: Path | None) -> Subject:
    """The start of `config.run`, or what its `run_folder` has kept; `root` is --workdir."""
    if config.run_folder is None:
        if root is None:
            raise UserError("--workdir is missing")
        start = ModelArrays(*assembly.start.weights)
        return Subject(config, assembly, start, 0, None, root / "probes")
    kept = KeptWeights(Path(config.run_folder), assembly.start.names)
    number = kept.round_of(config.round)
    own = Path(config.run_folder) / "probes" / f"round-{number:06d}"
    folder = root / "probes" if root is not None else own
    return Subject(config, assembly, kept.read(number), number, kept, folder)
