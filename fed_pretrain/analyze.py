"""Measures why a start helps: the curvature of the loss at a start, and probes of finished runs.

Examples:
  python -m fed_pretrain.analyze --task=chitchat --start=random --probes=hessian --workdir=runs/a
  python -m fed_pretrain.analyze --run=runs/digits --round=best --probes=hessian,alignment
  python -m fed_pretrain.analyze --run=runs/a --other_run=runs/b --probes=landscape

Probes: hessian, gauss_newton, fisher (eigenvalues, density, trace), clients (each client's own top
eigenvalue), alignment (cosines between a cohort's updates), misalignment, landscape, loss.
"""

from typing import TYPE_CHECKING

from absl import flags

from data_prep import command_line

command_line.quiet_libraries()

from fed_pretrain.experiment import flags as run_flags  # noqa: E402

if TYPE_CHECKING:
    from fed_pretrain.probes.curvature.probe import CurvatureConfig

run_flags.define()
_EXAMPLES = flags.DEFINE_string(
    "hessian_examples", "2000", "Training examples the curvature is measured on, or `all`."
)
_EIGENVALUES = flags.DEFINE_integer("eigenvalues", 1, "How many at each end.", lower_bound=1)
_SMALLEST = flags.DEFINE_boolean("smallest", False, "Also the smallest eigenvalues.")
_ITERATIONS = flags.DEFINE_integer("iterations", 100, "Lanczos steps at most.", lower_bound=1)
_TOLERANCE = flags.DEFINE_float("tolerance", 1e-3, "Relative residual to reach.", lower_bound=0)
_DENSITY = flags.DEFINE_integer(
    "density_vectors", 0, "Start vectors of the spectral density; 0 = none.", lower_bound=0
)
_TRACE = flags.DEFINE_integer(
    "trace_samples", 0, "Samples of the trace estimate; 0 = none.", lower_bound=0
)
_RUN = flags.DEFINE_string("run", None, "Work directory of a run to look at, in place of a start.")
_ROUND = flags.DEFINE_string("round", "last", "Of --run: a round's number, start, best or last.")
_OTHER_RUN = flags.DEFINE_string(
    "other_run", None, "Of landscape: the run at the other end; default is the start."
)
_OTHER_ROUND = flags.DEFINE_string("other_round", "last", "As --round, of --other_run.")
_CLIENTS = flags.DEFINE_integer(
    "probe_clients", None, "Of clients and alignment: at most so many clients.", lower_bound=1
)
_BASELINE_EPOCHS = flags.DEFINE_integer(
    "baseline_epochs", 5, "Of baselines: local passes without any averaging.", lower_bound=1
)
_POINTS = flags.DEFINE_integer("points", 11, "Of landscape: points on the line.", lower_bound=2)


def main() -> int:
    if run_flags.print_help_tables():
        return 0
    from fed_pretrain.experiment import analyze

    values = flags.FLAGS
    given = run_flags.run_config(required=() if _RUN.value else ("task", "workdir"))
    config = analyze.run_config(_RUN.value, given) if _RUN.value else given
    chosen = given.probes.probes if values["probes"].present else "hessian"
    folder = analyze.analyze(
        analyze.AnalyzeConfig(
            run=config,
            probes=tuple(name for name in chosen.split(",") if name),
            curvature=_curvature(given.seed if values["seed"].present else config.seed),
            run_folder=_RUN.value,
            round=_ROUND.value,
            other_run=_OTHER_RUN.value,
            other_round=_OTHER_ROUND.value,
            clients=_CLIENTS.value,
            points=_POINTS.value,
            baseline_epochs=_BASELINE_EPOCHS.value,
        )
    )
    print(f"probes: {folder}")
    return 0


def _curvature(seed: int) -> "CurvatureConfig":
    from data_prep.errors import UserError
    from fed_pretrain.probes.curvature.probe import CurvatureConfig

    text = _EXAMPLES.value
    if text != "all" and not text.isdigit():
        raise UserError(f"--hessian_examples={text}: give a number or `all`")
    return CurvatureConfig(
        examples=None if text == "all" else int(text),
        eigenvalues=_EIGENVALUES.value,
        smallest=_SMALLEST.value,
        iterations=_ITERATIONS.value,
        tolerance=_TOLERANCE.value,
        density_vectors=_DENSITY.value,
        trace_samples=_TRACE.value,
        seed=seed,
    )


if __name__ == "__main__":
    command_line.run(main)
