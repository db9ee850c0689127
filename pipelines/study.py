"""Runs a study from its plan: expands it to steps, runs what is not done, makes the report.

Example:
  python -m pipelines.study --plan=quickstart --workdir=runs/quickstart
  python -m pipelines.study --plan=my_plan.yaml --workdir=runs/mine --set seeds=[0,1,2] --dry_run

For a scheduler of your own: --list_steps lists every step and its command, which is this program
with --step. Such a command may run twice, and on any machine that shares the folders.
"""

import sys
from collections.abc import Mapping

from absl import flags

from groundwork import command_line

command_line.quiet_libraries()

from groundwork import settings  # noqa: E402
from groundwork.errors import UserError  # noqa: E402
from groundwork.stores import mirror  # noqa: E402
from pipelines import study_run  # noqa: E402
from pipelines.plan import plan  # noqa: E402
from pipelines.schedulers import export  # noqa: E402

_PLAN = flags.DEFINE_string(
    "plan", None, "Name of a shipped plan, a YAML file, or `help` for the list."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the study; the same folder continues.")
_SET = flags.DEFINE_multi_string("set", [], "Overrides of the plan: --set seeds=[0] (repeatable).")
_INTERVAL = flags.DEFINE_multi_string(
    "interval", [], "A new year, month or day of the plan's data, such as 2018-05 (repeatable)."
)
_PARALLEL = flags.DEFINE_integer(
    "parallel", 0, "Cells at once; 0 = as many as memory and cores allow.", lower_bound=0
)
_DRY_RUN = flags.DEFINE_boolean("dry_run", False, "Show the steps and an estimate, run nothing.")
_FORGET_STALE = flags.DEFINE_boolean(
    "forget_stale", False, "Afterwards remove outputs that no step of the plan has any more."
)
_LIST_STEPS = flags.DEFINE_boolean(
    "list_steps",
    False,
    "Print a JSON line a step known so far, inputs first: id, kind, needs, command; run nothing.",
)
_STEP = flags.DEFINE_multi_string(
    "step", [], "Run this step only, whose inputs must be done; exit 1 if it fails (repeatable)."
)
command_line.take_urls("workdir")
settings.define(export.ExportConfig, "For a scheduler")


def main() -> int:
    if _PLAN.value in (None, "help"):
        print(plan.describe_shipped())
        return 0 if _PLAN.value else command_line.USER_ERROR_EXIT
    if not _WORKDIR.value:
        raise UserError("--workdir is missing: the folder of the study")
    config = study_run.StudyConfig(
        plan=_PLAN.value,
        workdir=_WORKDIR.value,
        overrides=tuple(_SET.value),
        parallel=_PARALLEL.value,
        dry_run=_DRY_RUN.value,
        forget_stale=_FORGET_STALE.value,
        only=tuple(_STEP.value),
        intervals=tuple(_INTERVAL.value),
    )
    for_scheduler = settings.build(export.ExportConfig)
    ways = {
        "--list_steps": _LIST_STEPS.value,
        "--export": export.asked(for_scheduler),
        "--step": bool(_STEP.value),
    }
    if sum(ways.values()) > 1:
        asked = " and ".join(flag for flag, given in ways.items() if given)
        raise UserError(f"{asked} exclude each other: give one of them")
    if _LIST_STEPS.value:
        for line in study_run.list_steps(config).lines([sys.executable, "-m", "pipelines.study"]):
            print(line)
        return 0
    if ways["--export"]:
        text = export.export(study_run.list_steps(config), for_scheduler)
        print(f"wrote {for_scheduler.output}" if for_scheduler.output else text)
        return 0
    result = study_run.run(config)
    for why, names in _by_reason(result.failed).items():
        where = names[0] if len(names) == 1 else f"{len(names)} steps from {names[0]} on"
        print(f"failed: {where}: {why}")
    if result.failed:
        print(f"the log of a step is beside its folder below {_WORKDIR.value}/steps")
    if result.stopped:
        print("stopped; continue with the same command")
    if result.ended_by:
        print(result.ended_by)
    if result.report is not None:
        print("\n".join(study_run.closing_words(config)))
        print(f"report: {mirror.address(result.report)}")
        folder = mirror.place(config.workdir).absolute()
        command_line.suggest("fed_pretrain.report", index=folder.parent)
    # A scheduler takes 0 for done; a study that was stopped on request is to be continued.
    return 1 if result.failed or (result.stopped and config.only) else 0


def _by_reason(failed: Mapping[str, str]) -> dict[str, list[str]]:
    """What is wrong with a task is wrong with each of its cells, and said once."""
    steps: dict[str, list[str]] = {}
    for name, why in failed.items():
        steps.setdefault(why, []).append(name)
    return steps


if __name__ == "__main__":
    command_line.run(main)
