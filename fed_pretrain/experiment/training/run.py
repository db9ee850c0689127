"""A run from its config: answered at once where it is finished, trained otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from data_prep.store import manifest
from fed_pretrain.experiment.training.result import RunResult
from fed_pretrain.experiment.workdir import workdir
from fed_pretrain.tracking import known_trackers
from fed_pretrain.tracking.follower import Follower, Together
from groundwork import settings
from groundwork.locks import WorkdirLock
from groundwork.signals import GracefulStop
from groundwork.stores import mirror

if TYPE_CHECKING:
    from fed_pretrain.experiment.assembly.run_config import RunConfig
    from fed_pretrain.experiment.assembly.session import Session


def train(
    config: RunConfig, session: Session | None = None, followers: Sequence[Follower] = ()
) -> RunResult:
    """Runs or continues the run of `config.workdir` and returns when it is finished or stopped."""
    settings.check(config)
    followers = [*known_trackers.followers(config.tracking), *followers]
    with (
        mirror.working(config.workdir, last=workdir.SUCCESS) as place,
        workdir.storage_faults(folder := workdir.create(str(place))),
        WorkdirLock(folder),
        workdir.nothing_half(folder),
        GracefulStop() as stop,
    ):
        workdir.remove_leftovers(folder)
        config = workdir.as_begun(folder, config)
        done = workdir.finished(folder, config)
        if done is not None:
            found = manifest.fingerprint_at(config.dataset)
            workdir.check_dataset(folder, config.dataset, found)
            return RunResult(folder, done, "finished before")
        # TensorFlow is imported by these, and only for a run that has something left to do.
        from fed_pretrain.experiment.assembly.assemble import assemble
        from fed_pretrain.experiment.assembly.session import shared
        from fed_pretrain.experiment.training.rounds import Training

        assembly = assemble(config, session or shared())
        return Training(assembly, folder, stop, Together(followers)).run()
