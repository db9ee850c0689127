"""Learning rates by successive halving: many rates for few rounds, the better half for more.

Rates are tuned per (algorithm, task, start), on the validation split only, by a seeded log-grid or
random search with a stated budget of trials. A trial that diverges loses; it is no error.
"""

import dataclasses
import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.experiment.assembly.session import Session, shared
from fed_pretrain.experiment.training.run import train
from groundwork import files, randomness
from groundwork.errors import UserError
from groundwork.progress import Progress
from groundwork.stores import mirror
from groundwork.untyped import Json

RATES = "rates.flags"
VALIDATION = "validation"
Rates = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class TuneConfig:
    """`base` is the run to tune; `rates` the candidate values of each rate flag."""

    base: RunConfig
    rates: Mapping[str, Sequence[float]]
    search: str
    trials: int
    rounds: int
    halvings: int
    seed: int


@dataclasses.dataclass(frozen=True)
class Trial:
    rates: Rates
    accuracy: float
    loss: float
    rounds: int

    @property
    def score(self) -> tuple[float, float]:
        """Higher is better; a diverged trial is below every other."""
        if math.isnan(self.accuracy):
            return (-math.inf, -math.inf)
        return (self.accuracy, -self.loss if math.isfinite(self.loss) else -math.inf)


def parse_rates(text: str) -> dict[str, list[float]]:
    """`client_learning_rate=0.1,0.01;server_learning_rate=1` -> candidates by flag."""
    rates = {}
    for part in text.split(";"):
        name, equals, values = part.partition("=")
        try:
            rates[name.strip()] = [float(value) for value in values.split(",")]
        except ValueError as error:
            raise UserError(f"--rates: {part!r} is not NAME=NUMBER,NUMBER") from error
        if not equals:
            raise UserError(f"--rates: {part!r} is not NAME=NUMBER,NUMBER")
    return rates


def candidates(config: TuneConfig) -> list[Rates]:
    """The trials of the first rung, a pure function of the config."""
    names = sorted(config.rates)
    if config.search == "grid":
        grid: list[Rates] = [
            dict(zip(names, point, strict=True))
            for point in itertools.product(*(config.rates[name] for name in names))
        ]
        if len(grid) <= config.trials:
            return grid
        generator = randomness.generator(config.seed, "tuning")
        chosen = sorted(generator.choice(len(grid), config.trials, replace=False))
        return [grid[index] for index in chosen]
    return [_drawn(config, names, number) for number in range(config.trials)]


def _drawn(config: TuneConfig, names: Sequence[str], number: int) -> Rates:
    """Log-uniform between the smallest and the largest given value of each rate."""
    generator = randomness.generator(config.seed, "tuning", number)
    rates = {}
    for name in names:
        low, high = math.log(min(config.rates[name])), math.log(max(config.rates[name]))
        rates[name] = math.exp(low + (high - low) * float(generator.random()))
    return rates


def tune(config: TuneConfig, session: Session | None = None) -> Rates:
    """Runs the rungs, writes trials.json and then rates.flags, and returns the best rates."""
    with mirror.working(config.base.workdir, last=RATES) as workdir:
        workdir.mkdir(parents=True, exist_ok=True)
        base = dataclasses.replace(config.base, workdir=str(workdir))
        return _tuned(dataclasses.replace(config, base=base), session or shared())


def _tuned(config: TuneConfig, session: Session) -> Rates:
    alive = candidates(config)
    history: list[Trial] = []
    total = sum(len(alive) // 2**rung or 1 for rung in range(config.halvings + 1))
    progress = Progress("tuning", total)
    for rung in range(config.halvings + 1):
        rounds = config.rounds * 2**rung
        trials = []
        for rates in alive:
            trials.append(_trial(config, rates, rounds, session))
            progress.update(len(history) + len(trials), _told(trials[-1]))
        history += trials
        ranked = sorted(trials, key=lambda trial: trial.score, reverse=True)
        alive = [trial.rates for trial in ranked[: max(1, len(ranked) // 2)]]
    progress.close()
    best = ranked[0]
    if best.score[0] == -math.inf:
        raise UserError("--rates: every trial diverged; give smaller rates")
    for sentence in edges(best.rates, [trial.rates for trial in history]).values():
        print(f"warning: {sentence}", file=sys.stderr)
    _write(Path(config.base.workdir), config, history, best)
    return best.rates


def edges(best: Rates, tried: Sequence[Rates]) -> dict[str, str]:
    """By name, what is said of the best rates beyond which nothing was tried."""
    found = {}
    for name, rate in best.items():
        values = {rates[name] for rates in tried}
        for end, size in ((min(values), "small"), (max(values), "larg")):
            if rate == end and len(values) > 1:
                found[name] = (
                    f"the best --{name}, {rate:g}, is the {size}est that was tried: the best there"
                    f" is may be {size}er; give {size}er ones in --rates, too"
                )
    return found


def _trial(config: TuneConfig, rates: Rates, rounds: int, session: Session) -> Trial:
    """One short run; the next rung continues it, since its rounds may grow."""
    base = config.base
    name = "-".join(f"{value:.4g}" for value in rates.values())
    settings = {**dict(base.algorithm_settings), **rates}
    run = dataclasses.replace(
        base,
        workdir=str(Path(base.workdir) / "trials" / name),
        algorithm_settings=tuple(sorted(settings.items())),
        work=dataclasses.replace(base.work, rounds=rounds),
        evaluation=dataclasses.replace(
            base.evaluation, eval_split=VALIDATION, evaluate_every=config.rounds
        ),
        probes=dataclasses.replace(base.probes, probes=""),
        saving=dataclasses.replace(base.saving, tensorboard=False, checkpoint_every=config.rounds),
    )
    try:
        result = train(run, session)
    except UserError as error:
        if "is not finite" not in str(error):
            raise
        print(f"trial {name}: diverged", file=sys.stderr)
        return Trial(rates, math.nan, math.nan, rounds)
    if not result.finished:
        raise UserError(f"trial {name}: {result.reason}; the same command continues the tuning")
    last = result.rows[-1]
    accuracy, loss = (_number(last[column]) for column in ("eval_accuracy", "eval_loss"))
    return Trial(rates, accuracy, loss, rounds)


def _number(value: float | None) -> float:
    """A figure of a run's row, where what is undefined is None."""
    return math.nan if value is None else float(value)


def _told(trial: Trial) -> str:
    return f"{dict(trial.rates)} accuracy {trial.accuracy:.4f}"


def _write(workdir: Path, config: TuneConfig, history: Sequence[Trial], best: Trial) -> None:
    files.write_json(
        workdir / "trials.json",
        {
            "budget": {"trials": config.trials, "rounds": config.rounds, "seed": config.seed},
            "search": config.search,
            "split": VALIDATION,
            "trials": [_as_json(trial) for trial in history],
            "best": _as_json(best),
            "at_the_edge": sorted(edges(best.rates, [trial.rates for trial in history])),
        },
    )
    lines = [f"--{name}={value!r}" for name, value in sorted(best.rates.items())]
    files.write_text(workdir / RATES, "\n".join(lines) + "\n")


def _as_json(trial: Trial) -> dict[str, Json]:
    value = dataclasses.asdict(trial)
    return {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in value.items()
    }
