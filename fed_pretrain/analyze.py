"""Measures why a start helps: the curvature of the loss at a start, and probes of finished runs.

Examples:
  python -m fed_pretrain.analyze --task=chitchat --start=random --probes=hessian --workdir=runs/a
  python -m fed_pretrain.analyze --run=runs/digits --round=best --probes=hessian,alignment
  python -m fed_pretrain.analyze --run=runs/a --other_run=runs/b --probes=landscape,plane,distances

Probes: hessian, gauss_newton, fisher (eigenvalues, density, trace), clients (each client's own top
eigenvalue), eigenvector (the loss along the top one), alignment (cosines between a cohort's
updates), drift (and what averaging gains), misalignment, distances, landscape (the loss on a line),
plane (and through three models), loss, baselines.
"""

from typing import TYPE_CHECKING

from absl import flags

from groundwork import command_line

command_line.quiet_libraries()

from fed_pretrain.curvature.curvature_config import number_of_examples  # noqa: E402
from fed_pretrain.experiment.assembly import run_flags  # noqa: E402

if TYPE_CHECKING:
    from fed_pretrain.experiment.analysis.analyze_config import OtherRun

run_flags.define()
_RUN = flags.DEFINE_string("run", None, "Work directory of a run to look at, in place of a start.")
_ROUND = flags.DEFINE_string("round", "last", "Of --run: a round's number, start, best or last.")
_OTHER_RUN = flags.DEFINE_string(
    "other_run", None, "A run set beside --run: the other end of landscape, and of distances."
)
_OTHER_ROUND = flags.DEFINE_string("other_round", "last", "As --round, of --other_run.")
_THIRD_RUN = flags.DEFINE_string(
    "third_run", None, "Of plane: the third model's run; default is the start of --run."
)
_THIRD_ROUND = flags.DEFINE_string("third_round", "last", "As --round, of --third_run.")
_CLIENTS = flags.DEFINE_integer(
    "probe_clients", None, "Of clients and alignment: at most so many clients.", lower_bound=1
)
_BASELINE_EPOCHS = flags.DEFINE_integer(
    "baseline_epochs", 5, "Of baselines: local passes without any averaging.", lower_bound=1
)
_POINTS = flags.DEFINE_integer(
    "points",
    11,
    "Of landscape: points between the models; of eigenvector: on a side.",
    lower_bound=2,
)
_GRID = flags.DEFINE_integer(
    "grid", 9, "Of plane: points a side; each costs two evaluations.", lower_bound=2
)
_REACH = flags.DEFINE_float(
    "reach",
    1.0,
    "Of eigenvector: how far to look; 1 is where the eigenvalue alone would double the loss.",
    lower_bound=1e-6,
)
_LANDSCAPE_EXAMPLES = flags.DEFINE_string(
    "landscape_examples", "2000", "Of landscape and plane: examples of each split, or `all`."
)


def main() -> int:
    if run_flags.print_help_tables():
        return 0
    from fed_pretrain.experiment.analysis import run_analysis
    from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig, LandscapeConfig

    values = flags.FLAGS
    given = run_flags.run_config(required=() if _RUN.value else ("task", "workdir"))
    config = run_analysis.run_config(_RUN.value, given) if _RUN.value else given
    chosen = given.probes.probes if values["probes"].present else "hessian"
    folder = run_analysis.analyze(
        AnalyzeConfig(
            run=config,
            probes=tuple(name.strip() for name in chosen.split(",") if name.strip()),
            landscape=LandscapeConfig(
                points=_POINTS.value,
                grid=_GRID.value,
                reach=_REACH.value,
                examples=number_of_examples("landscape_examples", _LANDSCAPE_EXAMPLES.value),
            ),
            run_folder=_RUN.value,
            round=_ROUND.value,
            other=_other("other", _OTHER_RUN.value, _OTHER_ROUND.value),
            third=_other("third", _THIRD_RUN.value, _THIRD_ROUND.value),
            clients=_CLIENTS.value,
            baseline_epochs=_BASELINE_EPOCHS.value,
        )
    )
    print(f"probes: {folder}")
    return 0


def _other(which: str, folder: str | None, round_name: str) -> "OtherRun | None":
    from fed_pretrain.experiment.analysis.analyze_config import OtherRun

    if folder is None:
        return None
    return OtherRun(folder, round_name, f"{which}_run", f"{which}_round")


if __name__ == "__main__":
    command_line.run(main)
