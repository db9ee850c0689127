"""Measures why a start helps: the curvature of the loss at a start, and probes of finished runs.

Examples:
  python -m fed_pretrain.analyze --task=chitchat --start=random --probes=hessian --workdir=runs/a
  python -m fed_pretrain.analyze --run=runs/digits --round=best --probes=hessian,alignment
  python -m fed_pretrain.analyze --run=runs/a --other_run=runs/b --probes=landscape,plane,distance
"""

from pathlib import Path

from absl import flags

from groundwork import command_line

command_line.quiet_libraries()

from fed_pretrain.curvature.curvature_config import CurvatureConfig  # noqa: E402
from fed_pretrain.experiment.assembly import run_flags  # noqa: E402
from fed_pretrain.probes import known_probes  # noqa: E402
from groundwork import settings  # noqa: E402
from groundwork.errors import UserError  # noqa: E402
from groundwork.stores import mirror  # noqa: E402

run_flags.define()
_PROBES = flags.FLAGS["probes"]
_PROBES.help = "Comma-separated probes: " + "; ".join(
    f"{name}: {probe.help}" for name, probe in known_probes.at_checkpoints().items()
)
_OPTIONS: list[type] = []


def _define_options() -> None:
    """Flags of the probes known so far; the curvature's are flags of a run, too."""
    for one in known_probes.options():
        if one is not CurvatureConfig and one not in _OPTIONS:
            settings.define(one, "Probes")
            _OPTIONS.append(one)


_define_options()
_RUN = flags.DEFINE_string("run", None, "Work directory of a run to look at, in place of a start.")
_ROUND = flags.DEFINE_string("round", "last", "Of --run: a round's number, start, best or last.")
_OTHER_RUN = flags.DEFINE_string(
    "other_run", None, "A run set beside --run: the other end of landscape, and of distance."
)
_OTHER_ROUND = flags.DEFINE_string("other_round", "last", "As --round, of --other_run.")
_THIRD_RUN = flags.DEFINE_string(
    "third_run", None, "Of plane: the third model's run; the default is the start of --run."
)
_THIRD_ROUND = flags.DEFINE_string("third_round", "last", "As --round, of --third_run.")
command_line.take_urls("run", "other_run", "third_run")
_CLIENTS = flags.DEFINE_integer(
    "probe_clients", None, "Clients that a probe of a cohort looks at, at most.", lower_bound=1
)


def main() -> int:
    if run_flags.print_help_tables():
        return 0
    from fed_pretrain.experiment.analysis import run_analysis
    from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig, OtherRun

    for run, number in ((_RUN, _ROUND), (_OTHER_RUN, _OTHER_ROUND), (_THIRD_RUN, _THIRD_ROUND)):
        if number.present and run.value is None:
            raise UserError(f"--{number.name} is of --{run.name}, which is not given")
    given = run_flags.run_config(required=() if _RUN.value else ("task", "workdir"))
    run_folder = str(mirror.here(_RUN.value)) if _RUN.value else None
    config = run_analysis.run_config(run_folder, given) if run_folder else given
    chosen = given.probes.probes if _PROBES.present else "hessian"
    others = (
        OtherRun(str(mirror.here(run.value)), number.value, run.name, number.name)
        for run, number in ((_OTHER_RUN, _OTHER_ROUND), (_THIRD_RUN, _THIRD_ROUND))
        if run.value is not None
    )
    folder = run_analysis.analyze(
        AnalyzeConfig(
            run=config,
            probes=tuple(chosen.split(",")),
            options=tuple(settings.build(one) for one in _OPTIONS),
            run_folder=run_folder,
            round=_ROUND.value,
            others=tuple(others),
            clients=_CLIENTS.value,
        )
    )
    print(f"probes: {mirror.address(folder)}")
    if run_folder:
        page = Path(run_folder) / "report"
        command_line.suggest("fed_pretrain.report", runs=_RUN.value, output=page)
    else:
        workdir = f"runs/{config.task}"
        command_line.suggest(
            "fed_pretrain.train", task=config.task, start=config.start.spec, workdir=workdir
        )
    return 0


if __name__ == "__main__":
    command_line.run(main, after_plugins=_define_options)
