"""Measures why a start helps: the curvature of the loss at a start, and probes of finished runs.

Examples:
  python -m fed_pretrain.analyze --task=chitchat --start=random --probes=hessian --workdir=runs/a
  python -m fed_pretrain.analyze --run=runs/digits --probes=hessian
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


def main() -> int:
    if run_flags.print_help_tables():
        return 0
    config = run_flags.run_config()
    from fed_pretrain.experiment import analyze

    folder = analyze.analyze(
        analyze.AnalyzeConfig(
            run=config,
            probes=tuple(name for name in config.probes.probes.split(",") if name),
            curvature=_curvature(config.seed),
        )
    )
    print(f"probes: {folder}/probes")
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
