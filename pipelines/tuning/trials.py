"""A trial: a short run at some rates, in a folder of its own, judged on the validation split.

A trial that diverges loses; it is not an error.
"""

import dataclasses
import math
import os
import shutil
import sys
from pathlib import Path

from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.experiment.assembly.session import Session
from fed_pretrain.experiment.training.run import train
from groundwork import files, from_json
from groundwork.errors import UserError
from groundwork.untyped import Json
from pipelines.tuning.search import Rates, Search

FILE = "trial.json"
VALIDATION = "validation"
_RUN = "run"


@dataclasses.dataclass(frozen=True)
class TuneConfig:
    """`base` is the run to tune; what of it a trial changes is in `run`."""

    base: RunConfig
    search: Search


@dataclasses.dataclass(frozen=True)
class Trial:
    """`accuracy` and `loss` are NaN where it diverged."""

    rates: Rates
    accuracy: float
    loss: float
    rounds: int

    @property
    def diverged(self) -> bool:
        return math.isnan(self.accuracy)

    @property
    def score(self) -> tuple[float, float]:
        """Higher is better; a diverged trial is below every other."""
        if self.diverged:
            return (-math.inf, -math.inf)
        return (self.accuracy, -self.loss if math.isfinite(self.loss) else -math.inf)

    def as_json(self) -> dict[str, Json]:
        defined: dict[str, Json] = files.defined(dataclasses.asdict(self))
        return defined

    @property
    def label(self) -> str:
        return f"{dict(self.rates)} accuracy {self.accuracy:.4f}"


def read(folder: Path) -> Trial:
    """The trial that is done in a folder."""
    try:
        value = from_json.record(folder / FILE)
        return Trial(
            value["rates"], _number(value["accuracy"]), _number(value["loss"]), value["rounds"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / FILE}: is not a finished trial ({error})") from error


def run(
    config: TuneConfig,
    rates: Rates,
    rounds: int,
    folder: Path,
    before: Path | None,
    session: Session,
) -> Trial:
    """Does a trial, or what is left of it; it goes on from the one `before` it."""
    if before is not None and not (folder / _RUN).exists():
        copy = folder / f"{files.TEMPORARY_PREFIX}{_RUN}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(before / _RUN, copy, ignore=shutil.ignore_patterns("lock"))
        os.replace(copy, folder / _RUN)
    base = config.base
    settings = {**dict(base.algorithm_settings), **rates}
    every = config.search.rounds
    wanted = dataclasses.replace(
        base,
        workdir=str(folder / _RUN),
        algorithm_settings=tuple(sorted(settings.items())),
        work=dataclasses.replace(base.work, rounds=rounds),
        evaluation=dataclasses.replace(
            base.evaluation, eval_split=VALIDATION, evaluate_every=every
        ),
        probes=dataclasses.replace(base.probes, probes=""),
        saving=dataclasses.replace(base.saving, tensorboard=False, checkpoint_every=every),
    )
    trial = _judged(wanted, rates, rounds, session)
    files.write_json(folder / FILE, trial.as_json())
    return trial


def _judged(wanted: RunConfig, rates: Rates, rounds: int, session: Session) -> Trial:
    name = "-".join(f"{value:.4g}" for value in rates.values())
    try:
        result = train(wanted, session)
    except UserError as error:
        if "is not finite" not in str(error):
            raise
        print(f"trial {name}: diverged", file=sys.stderr)
        return Trial(rates, math.nan, math.nan, rounds)
    if not result.finished:
        raise UserError(f"trial {name}: {result.reason}; the same command continues the tuning")
    last = result.rows[-1]
    return Trial(rates, _number(last["eval_accuracy"]), _number(last["eval_loss"]), rounds)


def _number(value: float | None) -> float:
    """A figure of a row, where what is undefined is None."""
    return math.nan if value is None else float(value)
