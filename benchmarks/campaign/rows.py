"""The rows of the campaign's table, in the order in which they run."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.campaign import commands, trial

Run = Callable[["trial.Row", Path, int], None]


_PREPARING = ("data_prep.preparing.preparation", "data_prep.grouping.running")
_TRAINING = (
    "fed_pretrain.experiment.training.rounds",
    "fed_pretrain.experiment.analysis.run_analysis",
    "fed_pretrain.algorithms.compose",
    *_PREPARING,
)


@dataclasses.dataclass(frozen=True)
class Kind:
    """`imports`: what its commands import, once for all of them."""

    title: str
    run: Run
    imports: tuple[str, ...] = _TRAINING


def _killed(command: commands.Command) -> Run:
    from benchmarks.campaign import kills

    def run(row: trial.Row, folder: Path, times: int) -> None:
        kills.command(row, folder, times, command)

    return run


def _study(row: trial.Row, folder: Path, times: int) -> None:
    from benchmarks.campaign import study

    study.campaign(row, folder, times)


def _damage(name: str, *command: commands.Command) -> Run:
    from benchmarks.campaign import damage

    def run(row: trial.Row, folder: Path, times: int) -> None:
        functools.partial(getattr(damage, name), row, folder, times)(*command)

    return run


def _worker(row: trial.Row, folder: Path, times: int) -> None:
    from benchmarks.campaign import worker_loss

    worker_loss.campaign(row, folder, times)


_PLAIN = commands.train("--algorithm=fedadam")
ROWS: Mapping[str, Kind] = {
    "prepare": Kind("`prepare` killed", _killed(commands.PREPARE), imports=_PREPARING),
    **{
        f"train_{name}": Kind(f"`train` killed, {title}", _killed(commands.train(*flags)))
        for name, (title, *flags) in commands.TRAININGS.items()
    },
    "analyze": Kind("`analyze` killed", _killed(commands.ANALYZE)),
    "study": Kind("`study` killed", _study),
    "flips_outputs": Kind("a bit flipped in a run's folder", _damage("flips_in_outputs", _PLAIN)),
    "flips_datasets": Kind(
        "a bit flipped in a dataset", _damage("flips_in_datasets"), imports=_PREPARING
    ),
    "disk_train": Kind("the disk full under `train`", _damage("full_disks", _PLAIN)),
    "disk_prepare": Kind(
        "the disk full under `prepare`", _damage("full_disks", commands.PREPARE), imports=_PREPARING
    ),
    "worker": Kind("TFF's worker killed, cut off or stopped", _worker),
}
