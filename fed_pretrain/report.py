"""Makes the report of a study or of single runs: a page, and CSV, LaTeX, PDF and SVG files.

Examples:
  python -m fed_pretrain.report --study=runs/quickstart/study.json --output=runs/quickstart/report
  python -m fed_pretrain.report --runs=runs/a,runs/b --output=runs/report
"""

from absl import flags

from groundwork import command_line
from groundwork.errors import UserError

command_line.define_plugin_flag()
_STUDY = flags.DEFINE_string("study", None, "The study.json that a study writes.")
_RUNS = flags.DEFINE_list("runs", [], "Work directories of finished runs, separated by commas.")
_FIGURES = flags.DEFINE_bool("figures", True, "Also figures for papers, as PDF and SVG.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the report.")


def main() -> int:
    if bool(_STUDY.value) == bool(_RUNS.value):
        raise UserError("give either --study=FILE or --runs=DIR,DIR")
    if not _OUTPUT.value:
        raise UserError("--output is missing: the folder of the report")
    from fed_pretrain.reporting import study_report

    page = study_report.make_report(
        study_report.ReportConfig(
            _OUTPUT.value, _STUDY.value, tuple(_RUNS.value), figures=_FIGURES.value
        )
    )
    print(f"report: {page}")
    return 0


if __name__ == "__main__":
    command_line.run(main)
