"""The two-layer CNN of "Initialization Matters": signal, noise and misaligned filters in sweeps.

Example:
  python -m fed_pretrain.theory --sweep=default --workdir=runs/theory
  python -m fed_pretrain.theory --sweep=help
  python -m fed_pretrain.theory --rows=two_layer.jsonl --h=0   (data of the task two_layer_cnn)
"""

from absl import flags

from data_prep import command_line
from data_prep.errors import UserError

_SWEEP = flags.DEFINE_string("sweep", "default", "Name of a sweep, or `help` for the list.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for tables and figures.")
_SEEDS = flags.DEFINE_integer("seeds", 10, "Seeds of each setting.")
_FIRST_SEED = flags.DEFINE_integer("first_seed", 0, "The first of the seeds.", lower_bound=0)
_PRECISION = flags.DEFINE_enum(
    "precision", "single", ["single", "double"], "Precision of the arithmetic."
)
_ROWS = flags.DEFINE_string(
    "rows",
    None,
    "Write one run's data here instead, as JSON lines for `data_prep.prepare --source=jsonl "
    "--source_options=split=split`.",
)
_H = flags.DEFINE_float("h", 0.5, "With --rows: share of a client's minority label.")
_SIGNAL = flags.DEFINE_float("signal", 1.5, "With --rows: norm of the signal.")


def main() -> int:
    from fed_pretrain.theory import conduct, rows, sweeps

    if _ROWS.value:
        counted = rows.write(_ROWS.value, _H.value, _SIGNAL.value, _FIRST_SEED.value)
        print(f"{_ROWS.value}: {counted} rows")
        return 0

    if _SWEEP.value == "help":
        print(sweeps.describe())
        return 0
    if not _WORKDIR.value:
        raise UserError("--workdir is missing: the folder for tables and figures")
    config = conduct.TheoryConfig(
        sweep=_SWEEP.value,
        workdir=_WORKDIR.value,
        seeds=_SEEDS.value,
        first_seed=_FIRST_SEED.value,
        precision=_PRECISION.value,
    )
    print(conduct.summary(config, conduct.conduct(config)))
    return 0


if __name__ == "__main__":
    command_line.run(main)
