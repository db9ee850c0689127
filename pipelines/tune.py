r"""Tunes the learning rates of a run on its validation split and writes them as a flag file.

Example:
  python -m pipelines.tune --task=digits --start=random --algorithm=fedavg --trials=6 \
      --rates="client_learning_rate=0.3,0.1,0.03;server_learning_rate=1,0.3" --workdir=runs/rates
  python -m fed_pretrain.train --flagfile=runs/rates/rates.flags --task=digits ...

The same command continues a tuning that was stopped.
"""

from absl import flags

from groundwork import command_line

command_line.quiet_libraries()

from fed_pretrain.experiment.assembly import run_flags  # noqa: E402
from pipelines.tuning.search import SEARCHES, Search, parse_rates  # noqa: E402

run_flags.define()
_RATES = flags.DEFINE_string(
    "rates", None, "Candidates: NAME=NUMBER,NUMBER;NAME=... of the rate flags."
)
_SEARCH = flags.DEFINE_enum(
    "search",
    "grid",
    SEARCHES,
    "The grid, log-uniform draws between its ends, or what Optuna's TPE proposes there (an extra).",
)
_TRIALS = flags.DEFINE_integer("trials", 8, "Trials of the first rung.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("tuning_rounds", 10, "Rounds of the first rung.", lower_bound=1)
_HALVINGS = flags.DEFINE_integer(
    "halvings", 1, "How often the better half goes on for twice the rounds.", lower_bound=0
)
_TRIAL = flags.DEFINE_string(
    "trial", None, "Do this trial alone, RUNG-NUMBER, as a step of a study does."
)
_TRIAL_FOLDERS = flags.DEFINE_multi_string(
    "trial_folder",
    [],
    "A folder of a finished trial: of the rung before --trial, otherwise of any, to choose from.",
)


def main() -> int:
    if run_flags.print_help_tables():
        return 0
    from groundwork.errors import UserError
    from pipelines.tuning import tuning
    from pipelines.tuning.trials import TuneConfig

    if not _RATES.value:
        raise UserError("--rates is missing: what to try")
    base = run_flags.run_config()
    search = Search(
        rates=parse_rates(_RATES.value),
        search=_SEARCH.value,
        trials=_TRIALS.value,
        rounds=_ROUNDS.value,
        halvings=_HALVINGS.value,
        seed=base.seed,
    )
    config = TuneConfig(base, search)
    if _TRIAL.value:
        print(tuning.one_trial(config, _TRIAL.value, _TRIAL_FOLDERS.value).label)
        return 0
    rates = tuning.tune(config, finished=_TRIAL_FOLDERS.value)
    print(f"best: {dict(rates)}; in {base.workdir}/rates.flags")
    command_line.suggest(
        "fed_pretrain.train",
        flagfile=f"{base.workdir}/rates.flags",
        task=base.task,
        start=base.start.spec,
        algorithm=base.algorithm_name,
        workdir=f"runs/{base.task}",
    )
    return 0


if __name__ == "__main__":
    command_line.run(main)
