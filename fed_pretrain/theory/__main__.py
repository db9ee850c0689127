"""The two-layer CNN of "Initialization Matters": signal, noise and misaligned filters in sweeps.

Example:
  python -m fed_pretrain.theory --sweep=default --workdir=runs/theory
  python -m fed_pretrain.theory --sweep=help
  python -m fed_pretrain.theory --sweep=phases --signals=0.5,1,2,4 --aligned=0,0.5,1 --workdir=DIR
  python -m fed_pretrain.theory --rows=two_layer.jsonl --h=0   (data of the task two_layer_cnn)
"""

from collections.abc import Callable
from typing import TypeVar

from absl import flags

from groundwork import command_line
from groundwork.errors import UserError

_SWEEP = flags.DEFINE_string("sweep", "default", "Name of a sweep, or `help` for the list.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for tables and figures.")
_HETEROGENEITIES = flags.DEFINE_list(
    "heterogeneities",
    [],
    "Values of h, the share of a client's minority label (no values: the sweep's own).",
)
_TAUS = flags.DEFINE_list("taus", [], "Values of tau, the local steps a round.")
_ALIGNED = flags.DEFINE_list(
    "aligned", [], "Shares of aligned filters a start is given; `own`: those it has by itself."
)
_SIGNALS = flags.DEFINE_list(
    "signals", [], "Norms of the signal: signal-to-noise ratios, as the noise has sigma_p = 1."
)
_COSINES = flags.DEFINE_list(
    "cosines", [], "Cosines between the signal of the pre-training and the task's."
)
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


Number = TypeVar("Number")


def _numbers(flag: flags.FlagHolder, read: Callable[[str], Number]) -> tuple[Number, ...]:
    try:
        return tuple(read(text.strip()) for text in flag.value)
    except ValueError:
        given = ",".join(flag.value)
        raise UserError(f"--{flag.name}={given}: numbers with commas between are wanted") from None


def main() -> int:
    from fed_pretrain.theory import conduct, rows, sweeps

    if _ROWS.value:
        counted = rows.write(_ROWS.value, _H.value, _SIGNAL.value, _FIRST_SEED.value)
        print(f"{_ROWS.value}: {counted} rows")
        return 0

    if _SWEEP.value == "help":
        print(sweeps.describe())
        return 0
    grids = sweeps.Grids(
        heterogeneities=_numbers(_HETEROGENEITIES, float),
        taus=_numbers(_TAUS, int),
        aligned=_numbers(_ALIGNED, lambda text: None if text == "own" else float(text)),
        signals=_numbers(_SIGNALS, float),
        cosines=_numbers(_COSINES, float),
    )
    if not _WORKDIR.value:
        raise UserError("--workdir is missing: the folder for tables and figures")
    config = conduct.TheoryConfig(
        sweep=_SWEEP.value,
        grids=grids,
        workdir=_WORKDIR.value,
        seeds=_SEEDS.value,
        first_seed=_FIRST_SEED.value,
        precision=_PRECISION.value,
    )
    print(conduct.summary(config, conduct.conduct(config)))
    command_line.suggest("fed_pretrain.theory", sweep="help")
    return 0


if __name__ == "__main__":
    command_line.run(main)
