"""The models that stand beside the subject: the start of its run, and other runs' weights."""

import dataclasses
import json
from pathlib import Path

from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.analysis.analyze_config import OtherRun
from fed_pretrain.experiment.workdir.checkpoints import KeptWeights, ModelArrays
from groundwork.errors import UserError


@dataclasses.dataclass(frozen=True)
class Model:
    """Weights, a name short enough for a figure, and the start they were trained from."""

    name: str
    weights: ModelArrays
    start_digest: str


def own(subject: Subject) -> Model:
    digest = subject.assembly.start.digest
    if subject.config.run_folder is None:
        return Model("start", subject.weights, digest)
    return Model(_name(subject.config.run_folder, subject.round_number), subject.weights, digest)


def start(subject: Subject) -> Model:
    """What the subject's run began with."""
    first = subject.assembly.start
    return Model("start", ModelArrays(*first.weights), first.digest)


def other(subject: Subject, run: OtherRun) -> Model:
    """Another run's weights; refused when they are of another model."""
    names = subject.assembly.start.names
    folder = Path(run.folder)
    kept = KeptWeights(folder, names, run.flag, run.round_flag)
    number = kept.round_of(run.round)
    weights = kept.read(number)
    for name, ours, theirs in zip(
        names[0], subject.weights.trainable, weights.trainable, strict=True
    ):
        if ours.shape != theirs.shape:
            raise UserError(
                f"--{run.flag}={run.folder}: is a run of another model: its {name!r} has the"
                f" shape {list(theirs.shape)}, not {list(ours.shape)}"
            )
    saved = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return Model(_name(run.folder, number), weights, saved["start_digest"])


def _name(folder: str, round_number: int) -> str:
    return f"{Path(folder).name}, round {round_number}"
