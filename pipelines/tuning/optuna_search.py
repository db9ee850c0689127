"""Rates by Optuna: a tree-structured Parzen estimator (TPE) proposes, and halving prunes.

A trial's rates follow from the seed and from the trials before it. So nothing of Optuna's is kept
on disk: a tuning that was stopped asks for the same trials again and finds their runs.
"""

from pathlib import Path
from types import ModuleType
from typing import Protocol

from fed_pretrain.experiment.assembly.session import Session
from groundwork.errors import UserError
from groundwork.progress import Progress
from pipelines.tuning import trials
from pipelines.tuning.search import Rates, trial_name
from pipelines.tuning.trials import Trial, TuneConfig


class Asked(Protocol):
    """The part of Optuna's trials that is used."""

    def report(self, value: float, step: int) -> None: ...

    def should_prune(self) -> bool: ...


def run(config: TuneConfig, workdir: Path, session: Session) -> list[Trial]:
    """All trials, one after another; those that were pruned have fewer rounds."""
    optuna, search = library(), config.search
    study = optuna.create_study(
        direction="maximize",
        # A third of the trials is drawn at random before the estimator proposes.
        sampler=optuna.samplers.TPESampler(
            seed=search.seed, n_startup_trials=max(2, search.trials // 3)
        ),
        # After each rung the better half of the trials so far goes on.
        pruner=optuna.pruners.SuccessiveHalvingPruner(
            min_resource=search.rounds, reduction_factor=2
        ),
    )
    progress = Progress("tuning", search.trials)
    history = []
    for number in range(search.trials):
        asked = study.ask()
        rates = {
            name: asked.suggest_float(name, min(ends), max(ends), log=True)
            for name, ends in sorted(search.rates.items())
        }
        trial, pruned = _one(config, asked, rates, number, workdir, session)
        if pruned:  # its value is the last that was reported
            study.tell(asked, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(asked, _value(trial))
        history.append(trial)
        progress.update(number + 1, trial.label)
    progress.close()
    return history


def _one(
    config: TuneConfig, asked: Asked, rates: Rates, number: int, workdir: Path, session: Session
) -> tuple[Trial, bool]:
    """The trial as far as it got, and whether it was pruned."""
    before = None
    for rung in range(config.search.halvings + 1):
        rounds = config.search.rounds_of(rung)
        place = workdir / "trials" / trial_name(rung, number)
        place.mkdir(parents=True, exist_ok=True)
        trial = trials.run(config, rates, rounds, place, before, session)
        asked.report(_value(trial), step=rounds)
        last = rung == config.search.halvings
        if trial.diverged or (not last and asked.should_prune()):
            return trial, not trial.diverged
        before = place
    return trial, False


def _value(trial: Trial) -> float:
    """What is maximised; a diverged trial counts as one that got nothing right."""
    return 0.0 if trial.diverged else trial.accuracy


def library() -> ModuleType:
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            "--search=optuna needs Optuna, which comes with `pip install 'fed_pretrain[optuna]'`"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found: ModuleType = optuna
    return found
