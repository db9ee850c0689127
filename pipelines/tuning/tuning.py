"""The best of a tuning's trials, as a flag file.

Rates are tuned per (algorithm, task, start), on the validation split only, by a seeded search with
a stated budget of trials.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from fed_pretrain.experiment.assembly.session import Session, shared
from groundwork import files
from groundwork.errors import UserError
from groundwork.stores import mirror
from pipelines.tuning import halving, optuna_search, trials
from pipelines.tuning.search import OPTUNA, Rates
from pipelines.tuning.trials import Trial, TuneConfig

RATES = "rates.flags"


def tune(config: TuneConfig, session: Session | None = None, finished: Sequence[str] = ()) -> Rates:
    """Does the trials, writes trials.json and then rates.flags, and returns the best rates.

    `finished` are the folders of all trials, where they were done before.
    """
    with mirror.working(config.base.workdir, last=RATES) as workdir:
        workdir.mkdir(parents=True, exist_ok=True)
        if finished:
            history = [trials.read(Path(folder)) for folder in finished]
        else:
            search = optuna_search if config.search.search == OPTUNA else halving
            history = search.run(config, workdir, session or shared())
        most = max(trial.rounds for trial in history)
        best = max((t for t in history if t.rounds == most), key=lambda trial: trial.score)
        if best.diverged:
            raise UserError("--rates: every trial diverged; give smaller rates")
        for sentence in edges(best.rates, [trial.rates for trial in history]).values():
            print(f"warning: {sentence}", file=sys.stderr)
        _write(workdir, config, history, best)
        return best.rates


def one_trial(config: TuneConfig, name: str, before: Sequence[str]) -> Trial:
    """Does a trial by itself, as a step of a study; `before`: the folders of the rung before it."""
    with mirror.working(config.base.workdir, last=trials.FILE) as workdir:
        workdir.mkdir(parents=True, exist_ok=True)
        rung, number = halving.parse_name(config, name)
        return halving.one(config, rung, number, [*map(Path, before)], workdir, shared())


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


def _write(workdir: Path, config: TuneConfig, history: Sequence[Trial], best: Trial) -> None:
    search = config.search
    files.write_json(
        workdir / "trials.json",
        {
            "budget": {"trials": search.trials, "rounds": search.rounds, "seed": search.seed},
            "search": search.search,
            "split": trials.VALIDATION,
            "trials": [trial.as_json() for trial in history],
            "best": best.as_json(),
            "at_the_edge": sorted(edges(best.rates, [trial.rates for trial in history])),
        },
    )
    lines = [f"--{name}={value!r}" for name, value in sorted(best.rates.items())]
    files.write_text(workdir / RATES, "\n".join(lines) + "\n")
