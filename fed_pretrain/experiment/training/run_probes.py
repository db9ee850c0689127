"""The probes of a run: which ones, when, and the snapshots they need at the end."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fed_pretrain.experiment.assembly import private_run
from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.experiment.assembly.run_subject import run_subject
from fed_pretrain.experiment.workdir import workdir
from fed_pretrain.experiment.workdir.checkpoints import SNAPSHOTS, CheckpointFolder
from fed_pretrain.models.weights import ModelArrays, Weights
from fed_pretrain.probes.probe import Probe, RoundObservation


def probes_of(assembly: Assembly, folder: Path) -> list[Probe]:
    """Those that were asked for; one that this model has no answer for is refused."""
    subject = run_subject(assembly, folder)
    return [probe(subject) for probe in private_run.probes(assembly.config)]


class RunProbes:
    """Calls every probe in turn; keeps snapshots of the weights in the probed rounds."""

    def __init__(self, assembly: Assembly, folder: Path) -> None:
        config = assembly.config.probes
        self._every = config.probe_every
        self._rounds = assembly.config.work.rounds
        self._assembly = assembly
        self._folder = folder / "probes"
        self._names = assembly.start.names
        self._moving = bool(assembly.start.moving)
        self._probes = probes_of(assembly, self._folder)
        self._of_snapshots = [probe for probe in self._probes if probe.of_snapshots]
        self._snapshots = CheckpointFolder(self._folder / SNAPSHOTS) if self._of_snapshots else None

    def at_start(self, model: ModelArrays) -> dict[str, float]:
        self._snapshot(0, model)
        columns: dict[str, float] = {}
        for probe in self._probes:
            columns |= probe.at_start(model)
        return columns

    def after_round(self, observation: RoundObservation, evaluated: bool) -> dict[str, float]:
        round_number = observation.round_number
        due = round_number % self._every == 0 if self._every else evaluated
        if due or round_number == self._rounds:
            self._snapshot(round_number, observation.after)
        columns: dict[str, float] = {}
        for probe in self._probes:
            columns |= probe.after_round(observation, due)
        return columns

    def at_end(self, last_round: int, model: ModelArrays) -> None:
        """Files of the probes; a run that ended early gets its last round as the final one."""
        if self._snapshots is None:
            return
        if last_round not in self._snapshots.rounds():
            self._snapshot(last_round, model)
        snapshots = [(r, self._reader(self._snapshots, r)) for r in self._snapshots.rounds()]
        provenance = workdir.of_round(self._assembly, last_round)
        for probe in self._of_snapshots:
            workdir.write(self._folder, probe.file, probe.at_end(snapshots), provenance)

    def forget_after(self, round_number: int) -> None:
        """Drops snapshots of rounds that a resumed run will do again."""
        if self._snapshots is not None:
            self._snapshots.remove_leftovers()
            self._snapshots.forget_after(round_number)
        for probe in self._probes:
            probe.forget_after(round_number)

    def _snapshot(self, round_number: int, model: Weights) -> None:
        if self._snapshots is None:
            return
        arrays = _named("model/trainable", self._names[0], model.trainable)
        # Frozen tensors are those of round 0, one copy is enough, unless some move.
        if round_number == 0 or self._moving:
            arrays |= _named("model/non_trainable", self._names[1], model.non_trainable)
        self._snapshots.save(round_number, {}, arrays)

    def _reader(self, kept: CheckpointFolder, round_number: int) -> Callable[[], ModelArrays]:
        def read() -> ModelArrays:
            trainable = kept.load(round_number).arrays
            frozen = kept.load(round_number if self._moving else 0).arrays
            return ModelArrays(
                [trainable[f"model/trainable/{name}"] for name in self._names[0]],
                [frozen[f"model/non_trainable/{name}"] for name in self._names[1]],
            )

        return read


def _named(
    prefix: str, names: Sequence[str], values: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": value for name, value in zip(names, values, strict=True)}
