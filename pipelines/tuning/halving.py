"""Successive halving: many rates for few rounds, the better half for twice as many.

Each trial needs the rung before it alone, so that those of a rung can be done side by side, here
or as steps of a study.
"""

from collections.abc import Sequence
from pathlib import Path

from fed_pretrain.experiment.assembly.session import Session
from groundwork.errors import check_choice
from groundwork.progress import Progress
from pipelines.tuning import trials
from pipelines.tuning.search import trial_name
from pipelines.tuning.trials import Trial, TuneConfig


def one(
    config: TuneConfig,
    rung: int,
    number: int,
    before: Sequence[Path],
    folder: Path,
    session: Session,
) -> Trial:
    """The trial of this number in a rung; `before` are the folders of the rung before it.

    From the second rung on the number is the place of the trial that it goes on from.
    """
    rounds = config.search.rounds_of(rung)
    if rung == 0:
        rates = config.search.candidates()[number]
        return trials.run(config, rates, rounds, folder, None, session)
    ranked = sorted(before, key=lambda place: trials.read(place).score, reverse=True)
    chosen = ranked[number]
    return trials.run(config, trials.read(chosen).rates, rounds, folder, chosen, session)


def run(config: TuneConfig, workdir: Path, session: Session) -> list[Trial]:
    """All trials, one after another; those of the last rung come last."""
    sizes = config.search.rung_sizes()
    progress = Progress("tuning", sum(sizes))
    history: list[Trial] = []
    before: list[Path] = []
    for rung, size in enumerate(sizes):
        places = [workdir / "trials" / trial_name(rung, number) for number in range(size)]
        for number, place in enumerate(places):
            place.mkdir(parents=True, exist_ok=True)
            history.append(one(config, rung, number, before, place, session))
            progress.update(len(history), history[-1].label)
        before = places
    progress.close()
    return history


def parse_name(config: TuneConfig, name: str) -> tuple[int, int]:
    """The rung and the number of a trial that this search has."""
    sizes = config.search.rung_sizes()
    known = {trial_name(rung, n): (rung, n) for rung, size in enumerate(sizes) for n in range(size)}
    check_choice("--trial", name, known)
    return known[name]
